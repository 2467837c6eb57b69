/** `createTenants`: applications that come and go while the process runs, each with keys of its own. */
import { serve } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { guards as expressGuards } from '../../src/adapters/express.ts'
import { guards as honoGuards } from '../../src/adapters/hono.ts'
import type { RealmOptions } from '../../src/auth/create-realms.ts'
import { createTenants, type TenantsOptions } from '../../src/auth/create-tenants.ts'
import { type Auth, ConfigurationError, createKeyRing, generateKey } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { codeOf, complaintOf, errorOf } from '../token/forge.ts'

/** Options of a tenant, always the same for one name. */
function createLoad() {
  const known = new Map<string, RealmOptions>()
  const load = vi.fn((name: string): RealmOptions | null => {
    if (name.startsWith('no-')) return null
    const options = known.get(name) ?? {
      keys: createKeyRing({ signing: generateKey('ES256') }),
      issuer: `https://${name}.example`,
      audience: name,
    }
    known.set(name, options)
    return options
  })
  return load
}

function start<T = Auth>(options: TenantsOptions<T>) {
  const tenants = createTenants(options)
  onTestFinished(() => tenants.close())
  return tenants
}

/** A tenant that must be there. */
async function find<T>(tenants: { get(name: string): Promise<T | null> }, name: string): Promise<T> {
  const tenant = await tenants.get(name)
  if (tenant === null) throw new Error(`no tenant ${name}`)
  return tenant
}

describe('a token of another tenant', () => {
  it('is refused with an error that names both, where the other is known here', async () => {
    const tenants = start({ load: createLoad() })
    const [south, north] = [await find(tenants, 'south'), await find(tenants, 'north')]
    const token = await south.createAccessToken('alice')
    expect((await south.verifyToken(token)).login_type).toBe('south')
    const error = await errorOf(() => north.verifyToken(token))
    expect(error).toMatchObject({
      code: 'realm_mismatch',
      detail: { expectedType: 'north', actualType: 'south' },
    })
    await tenants.end('south')
    expect(await codeOf(() => north.verifyToken(token))).toBe('signature_invalid')
  })

  it('is told so only where it is sound: what a token says chooses no key', async () => {
    const tenants = start({ load: createLoad() })
    const [south, north] = [await find(tenants, 'south'), await find(tenants, 'north')]
    const eve = start({ load: createLoad() })
    const forged = await (await find(eve, 'south')).createAccessToken('alice')
    for (const auth of [south, north])
      expect(await codeOf(() => auth.verifyToken(forged))).toBe('signature_invalid')
    const unknown = await (await find(eve, 'east')).createAccessToken('alice')
    expect(await codeOf(() => north.verifyToken(unknown))).toBe('signature_invalid')
    expect(tenants.names).toEqual(['south', 'north'])
  })

  it('with one key for all is refused by its realm', async () => {
    const keys = createKeyRing({ signing: generateKey('ES256') })
    const tenants = start({ load: () => ({ keys }) })
    const token = await (await find(tenants, 'south')).createAccessToken('alice')
    const north = await find(tenants, 'north')
    expect(await codeOf(() => north.verifyToken(token))).toBe('realm_mismatch')
  })

  it.each(['Express', 'Hono'])('opens no route of %s', async (framework) => {
    const url = framework === 'Express' ? await startExpress() : await startHono()
    const call = async (tenant: string, token: string) => {
      const headers = { authorization: `Bearer ${token}`, 'x-tenant': tenant }
      const response = await fetch(`${url}/me`, { headers })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    }
    const login = async (tenant: string): Promise<string> => {
      const response = await fetch(`${url}/token`, { headers: { 'x-tenant': tenant } })
      return ((await response.json()) as { token: string }).token
    }
    const [south, north] = [await login('south'), await login('north')]
    expect(await call('south', south)).toEqual({ status: 200, body: { sub: 'alice of south' } })
    expect(await call('north', north)).toEqual({ status: 200, body: { sub: 'alice of north' } })
    expect(await call('north', south)).toMatchObject({
      status: 401,
      body: {
        code: 'realm_mismatch',
        error_type: 'LoginTypeMismatchError',
        expected_type: 'north',
        actual_type: 'south',
      },
    })
    expect((await call('no-one', south)).status).toBe(404)
    expect((await call('../south', south)).status).toBe(404)
  })
})

async function startExpress(): Promise<string> {
  const tenants = start({
    load: createLoad(),
    prepare: (auth, name) => ({ auth, name, access: expressGuards(auth).access() }),
  })
  const app = express()
  app.get('/token', async (req, res) => {
    const { auth, name } = await find(tenants, String(req.get('x-tenant')))
    res.json({ token: await auth.createAccessToken(`alice of ${name}`) })
  })
  app.get(
    '/me',
    async (req, res, next) => {
      const tenant = await tenants.get(String(req.get('x-tenant')))
      if (tenant === null) res.status(404).json({})
      else tenant.access(req, res, next)
    },
    (req, res) => void res.json({ sub: (req as { auth?: { sub: string } }).auth?.sub }),
  )
  const server = app.listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((listening) => server.once('listening', listening))
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

async function startHono(): Promise<string> {
  const tenants = start({
    load: createLoad(),
    prepare: (auth, name) => ({ auth, name, access: honoGuards(auth).access() }),
  })
  const app = new Hono()
  app.get('/token', async (c) => {
    const { auth, name } = await find(tenants, String(c.req.header('x-tenant')))
    return c.json({ token: await auth.createAccessToken(`alice of ${name}`) })
  })
  app.get(
    '/me',
    async (c, next) => {
      const tenant = await tenants.get(String(c.req.header('x-tenant')))
      return tenant === null ? c.json({}, 404) : tenant.access(c as never, next)
    },
    (c) => c.json({ sub: (c.get('auth' as never) as { sub: string }).sub }),
  )
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
      resolve(`http://127.0.0.1:${port}`),
    )
    onTestFinished(() => void server.close())
  })
}

describe('tenants', () => {
  it('are loaded once, however many ask, and prepared once', async () => {
    const load = createLoad()
    const prepare = vi.fn(() => ({}))
    const tenants = start({ load: async (name) => load(name), prepare })
    const found = await Promise.all(Array.from({ length: 50 }, () => tenants.get('south')))
    expect(new Set(found).size).toBe(1)
    expect([load.mock.calls, prepare.mock.calls.length]).toEqual([[['south']], 1])
  })

  it('are so many at most: the one that was asked for longest ago is closed, and loaded again', async () => {
    const load = createLoad()
    const tenants = start({ load, max: 2 })
    const south = await find(tenants, 'south')
    await tenants.get('north')
    await tenants.get('south')
    await tenants.get('east')
    expect(tenants.names).toEqual(['south', 'east'])
    expect(await find(tenants, 'south')).toBe(south)
    await tenants.get('north')
    expect(tenants.names).toEqual(['south', 'north'])
    expect(load.mock.calls.map(([name]) => name)).toEqual(['south', 'north', 'east', 'north'])
  })

  it('are closed with what they have, when they end: nothing follows their store any more', async () => {
    const store = memoryStore()
    const readLog = vi.spyOn(store, 'readLog')
    const load = createLoad()
    const tenants = start({ load: (name) => ({ ...load(name), sessions: { store } }), max: 2 })
    const tokens = new Map<string, string>()
    for (const name of ['a', 'b', 'c', 'd']) {
      const auth = await find(tenants, name)
      const { access_token } = await auth.sessions.start('alice')
      await auth.ready()
      tokens.set(name, access_token)
    }
    await tenants.end('d')
    expect(tenants.names).toEqual(['c'])
    readLog.mockClear()
    await new Promise((resolve) => setTimeout(resolve, 1500))
    // One of four follows: twice or three times in a second.
    expect(readLog.mock.calls.length).toBeGreaterThan(0)
    expect(readLog.mock.calls.length).toBeLessThan(6)
    // One that comes back knows its tokens, and what was revoked meanwhile.
    const again = await find(tenants, 'a')
    expect((await again.verifyToken(tokens.get('a') ?? '')).sub).toBe('alice')
    await again.sessions.endAll('alice')
    expect(await codeOf(() => again.verifyToken(tokens.get('a') ?? ''))).toBe('token_revoked')
    expect(await codeOf(async () => (await find(tenants, 'b')).verifyToken(tokens.get('b') ?? ''))).toBe(
      'accepted',
    )
    await tenants.close()
    expect(tenants.names).toEqual([])
  })

  it('take new options after `end`, also where that comes while they are loaded', async () => {
    const opened: (() => void)[] = []
    let issuer = 'https://old.example'
    const secret = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
    const tenants = start({
      async load() {
        const options = { secret, issuer }
        await new Promise<void>((resolve) => opened.push(resolve))
        return options
      },
    })
    const first = find(tenants, 'south')
    issuer = 'https://new.example'
    const ending = tenants.end('south')
    const second = find(tenants, 'south')
    for (const open of opened) open()
    await ending
    const iss = async (auth: Awaited<typeof first>) =>
      auth.decodeUnverified(await auth.createAccessToken('a')).payload['iss']
    expect([await iss(await first), await iss(await second)]).toEqual([
      'https://old.example',
      'https://new.example',
    ])
    expect(await find(tenants, 'south')).toBe(await second)
  })

  it.each(['', '.', 'a.b', '-a', '__proto__', 'ä', 'a/b', 'a'.repeat(64), 'a b', 'a\n'])(
    'of the name %j are none, and are not loaded',
    async (name) => {
      const load = createLoad()
      expect(await start({ load }).get(name)).toBe(null)
      expect(load).not.toHaveBeenCalled()
    },
  )

  it('that are none take no place', async () => {
    const tenants = start({ load: createLoad(), max: 2 })
    await tenants.get('south')
    for (let i = 0; i < 20; i++) expect(await tenants.get(`no-${i}`)).toBe(null)
    expect(tenants.names).toEqual(['south'])
  })

  it('that cannot be loaded are 503, and are asked for again', async () => {
    const load = createLoad()
    let isDown = true
    const tenants = start({
      async load(name) {
        if (isDown) throw new Error('ECONNREFUSED')
        return load(name)
      },
    })
    const error = await errorOf(() => tenants.get('south'))
    expect(error).toMatchObject({ code: 'store_unavailable', status: 503 })
    isDown = false
    expect(await tenants.get('south')).not.toBe(null)
  })

  it('with wrong options name themselves', async () => {
    const tenants = start({ load: () => ({ secert: 'x' }) as RealmOptions })
    await expect(tenants.get('south')).rejects.toThrow(/In the realm `south`: Unknown option `secert`/)
    expect(tenants.names).toEqual([])
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['no load', {}],
    ['a load that is none', { load: {} }],
    ['an unknown option', { load: () => null, limit: 5 }],
    ['no place', { load: () => null, max: 0 }],
    ['a prepare that is none', { load: () => null, prepare: 'x' }],
  ])('are refused with %s', async (_, options) => {
    expect(() => createTenants(options as never)).toThrow(ConfigurationError)
    expect(await complaintOf(() => createTenants(options as never))).toMatch(
      /^ConfigurationError: (?:Expected|Unknown)/,
    )
  })
})
