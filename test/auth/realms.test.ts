/** `createRealms`: applications side by side in one process, and what is told where two share cookies. */
import { spawnSync } from 'node:child_process'
import express from 'express'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { guards } from '../../src/adapters/express.ts'
import { createAuth } from '../../src/auth/create-auth.ts'
import { createRealms } from '../../src/auth/create-realms.ts'
import type { AuthOptions } from '../../src/auth/options.ts'
import { type AuthError, isAuthError } from '../../src/errors.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createKeyRing, generateKey } from '../../src/token/key-ring.ts'
import { codeOf, complaintOf, errorOf, SECRET, stoppedClock } from '../token/forge.ts'

const OTHER = 'w8Qm3ZrT5uYx1CvBn7KpLs2Dg6Hj9Fa0eR4tUiOoVbNzXcMq'
const cookies = { locations: ['header', 'cookie'] } as const

describe('a token of another realm', () => {
  const clock = stoppedClock()
  const edKeys = createKeyRing({ signing: generateKey('EdDSA') })
  it.each<[string, AuthOptions, AuthOptions]>([
    ['one secret', { secret: SECRET }, { secret: SECRET }],
    ['two secrets', { secret: SECRET }, { secret: OTHER }],
    ['a secret and a key pair', { secret: SECRET }, { keys: edKeys }],
    ['two issuers', { secret: SECRET, issuer: 'https://a' }, { secret: SECRET, issuer: 'https://b' }],
    ['two audiences', { secret: SECRET, audience: 'a' }, { secret: SECRET, audience: 'b' }],
  ])('with %s: realm_mismatch, which names both', async (_, first, second) => {
    const { user, admin } = createRealms({ user: { ...first, clock }, admin: { ...second, clock } })
    const pair = await user.createTokenPair('alice')
    for (const token of [pair.access_token, pair.refresh_token, pair.access_token]) {
      const error = await errorOf(() => admin.verifyToken(token, { type: 'any' }))
      expect(error).toMatchObject({ code: 'realm_mismatch', name: 'LoginTypeMismatchError', status: 401 })
      if (!isAuthError(error)) throw error
      expect(JSON.parse(admin.errorResponse(error).body)).toMatchObject({
        error_type: 'LoginTypeMismatchError',
        expected_type: 'admin',
        actual_type: 'user',
      })
      expect(error.message).not.toContain('user')
    }
    expect((await user.verifyToken(pair.access_token)).login_type).toBe('user')
    const own = await admin.createAccessToken('root')
    expect((await admin.verifyToken(own)).login_type).toBe('admin')
  })

  it('that has expired is still told as one of another realm', async () => {
    const { user, admin } = createRealms({
      user: { secret: SECRET, clock },
      admin: { secret: OTHER, clock },
    })
    const token = await user.createAccessToken('alice', { expiresIn: 60 })
    clock.now += 3600
    expect(await codeOf(() => admin.verifyToken(token))).toBe('realm_mismatch')
    expect(await codeOf(() => user.verifyToken(token))).toBe('token_expired')
  })

  it('is told only where it is sound: a forged one is refused as before', async () => {
    const { user, admin } = createRealms({ user: { secret: SECRET }, admin: { secret: OTHER } })
    const token = await user.createAccessToken('alice')
    const [header, payload] = token.split('.')
    const forged = `${header}.${payload}.${'A'.repeat(43)}`
    expect(await codeOf(() => admin.verifyToken(forged))).toBe('signature_invalid')
    expect(await codeOf(() => admin.verifyToken('x.y.z'))).toBe('token_malformed')
    const stranger = await createAuth({ secret: `${SECRET}x` }).createAccessToken('eve')
    expect(await codeOf(() => admin.verifyToken(stranger))).toBe('signature_invalid')
  })

  it('opens no route of the guards, and its own opens it', async () => {
    const { user, admin } = createRealms({ user: { secret: SECRET }, admin: { secret: OTHER } })
    const app = express()
    app.get('/admin', guards(admin).access(), (_, response) => void response.json({}))
    const server = app.listen(0, '127.0.0.1')
    try {
      await new Promise((listening) => server.once('listening', listening))
      const { port } = server.address() as { port: number }
      const call = async (token: string) => {
        const headers = { authorization: `Bearer ${token}` }
        const response = await fetch(`http://127.0.0.1:${port}/admin`, { headers })
        return { status: response.status, body: await response.json() }
      }
      const refused = await call(await user.createAccessToken('alice'))
      expect(refused.status).toBe(401)
      expect(refused.body).toMatchObject({
        code: 'realm_mismatch',
        expected_type: 'admin',
        actual_type: 'user',
      })
      expect((await call(await admin.createAccessToken('root'))).status).toBe(200)
    } finally {
      server.close()
    }
  })

  it('of one `createAuth` with a realm names both to the application, and none of them to the client', async () => {
    const admin = createAuth({ secret: SECRET, realm: 'admin' })
    const detailOf = async (token: string) =>
      (await errorOf(() => admin.verifyToken(token))) as AuthError<'realm_mismatch'>
    const user = await createAuth({ secret: SECRET, realm: 'user' }).createAccessToken('u')
    expect((await detailOf(user)).detail).toEqual({ expectedType: 'admin', actualType: 'user' })
    const response = admin.errorResponse(await detailOf(user))
    expect(response.body).not.toMatch(/admin|user/)
    const plain = await createAuth({ secret: SECRET }).createAccessToken('u')
    expect((await detailOf(plain)).detail).toEqual({ expectedType: 'admin', actualType: null })
  })
})

describe('sessions', () => {
  it('of one subject in two realms of one store are two: ending one ends no other', async () => {
    const store = memoryStore()
    const options = { secret: SECRET, sessions: { store } }
    const { user, admin } = createRealms({ user: options, admin: options })
    const pair = await user.createTokenPair('alice')
    await admin.createTokenPair('alice')
    expect(await admin.sessions.endAll('alice')).toBe(1)
    expect((await user.verifyToken(pair.access_token)).sub).toBe('alice')
    await Promise.all([user.close(), admin.close()])
  })
})

describe('cookies', () => {
  it('have names of their realm by default, and those that are given otherwise', () => {
    const { user, admin } = createRealms({
      user: { secret: SECRET, ...cookies },
      admin: {
        secret: SECRET,
        ...cookies,
        cookies: { access: { name: 'root' }, refresh: { path: '/auth' } },
      },
    })
    const namesOf = ({ http: { cookies } }: typeof user) =>
      [cookies.access, cookies.refresh, cookies.csrf].map(({ name }) => name)
    expect(namesOf(user)).toEqual([
      '__Host-user_access_token',
      '__Host-user_refresh_token',
      '__Host-user_csrf_token',
    ])
    expect(namesOf(admin)).toEqual(['__Host-root', '__Secure-admin_refresh_token', '__Host-admin_csrf_token'])
  })

  it('lie side by side in one browser: each realm reads its own', async () => {
    const { user, admin } = createRealms({
      user: { secret: SECRET, ...cookies },
      admin: { secret: OTHER, ...cookies },
    })
    const lines = [
      ...user.cookies(await user.createTokenPair('alice')),
      ...admin.cookies(await admin.createTokenPair('root')),
    ]
    const cookie = lines.map((line) => line.split(';')[0]).join('; ')
    const request = new Request('https://app.example/', { headers: { cookie } })
    expect((await user.authenticate(request)).sub).toBe('alice')
    expect((await admin.authenticate(request)).sub).toBe('root')
  })
})

describe('options', () => {
  it.each<[string, unknown, RegExp]>([
    ['none', {}, /1 to 16 realms, got 0/],
    ['a list', [], /`createRealms\(options\)` to be an object/],
    ['nothing', undefined, /`createRealms\(options\)` to be an object/],
    ['a name with a blank', { 'a b': { secret: SECRET } }, /`a realm's name` to be a letter/],
    ['a realm without options', { user: null }, /In the realm `user`: Expected `user` to be an object/],
    ['an own realm', { user: { secret: SECRET, realm: 'x' } }, /In the realm `user`: Expected no `realm`/],
    [
      'a misspelt option',
      { user: { secert: SECRET } },
      /In the realm `user`: Unknown option `secert`; did you mean `secret`/,
    ],
    [
      'a cookie row of text',
      { user: { secret: SECRET, cookies: { access: 'x' } } },
      /`cookies\.access` to be an object/,
    ],
    [
      'cookies of one name',
      {
        user: { secret: SECRET, ...cookies, cookies: { csrf: { name: 'csrf' } } },
        admin: { secret: OTHER, ...cookies, cookies: { csrf: { name: 'csrf' } } },
      },
      /the realms `user` and `admin` to have cookies of their own, got `__Host-csrf` twice/,
    ],
  ])('%s: refused at start', async (_, options, message) => {
    expect(await complaintOf(() => createRealms(options as never))).toMatch(message)
  })

  it('may share names where no cookie is read', () => {
    const same = { secret: SECRET, cookies: { access: { name: 'token' } } }
    expect(Object.keys(createRealms({ user: same, admin: same }))).toEqual(['user', 'admin'])
  })

  it('give each realm the types of its schema and its user', async () => {
    const { user, admin } = createRealms({
      user: { secret: SECRET, claims: z.object({ tenant: z.string() }), subject: async () => ({ id: 1 }) },
      admin: { secret: OTHER },
    })
    const payload = await user.verifyToken(await user.createAccessToken('alice', { data: { tenant: 'a' } }))
    expectTypeOf(payload.data.tenant).toEqualTypeOf<string>()
    expectTypeOf(await user.loadSubject(payload)).toEqualTypeOf<{ id: number }>()
    expectTypeOf((await admin.verifyToken(await admin.createAccessToken('root'))).data).toEqualTypeOf<
      Readonly<Record<string, unknown>>
    >()
    expect(payload.data.tenant).toBe('a')
  })
})

describe('two `createAuth` with cookies of one name', () => {
  /** Warnings of a program of its own: they come once a process. */
  function warningsOf(...applications: readonly string[]): string {
    const code = `
      import { createAuth } from './dist/esm/index.js'
      const [A, B] = ${JSON.stringify([SECRET, OTHER])}
      const locations = ['cookie']
      ${applications.map((options) => `createAuth(${options})`).join('\n')}`
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
    return stderr
  }

  it.each([
    ['two realms', "{ secret: A, realm: 'user', locations }", "{ secret: A, realm: 'admin', locations }"],
    ['two secrets', '{ secret: A, locations }', '{ secret: B, locations }'],
  ])('and %s are told at start, once', (_, first, second) => {
    const text = warningsOf(first, second, second)
    expect(text.match(/TOKENWRIGHT_SHARED_COOKIES/g)).toHaveLength(1)
    expect(text).toMatch(/Two `createAuth` have cookies of the same names \(`__Host-access_token`\)/)
  })

  it('are not where one is made twice, reads no cookie, or has another origin or other names', () => {
    const named = (name: string) => `cookies: { access: { name: '${name}' } }`
    const applications = [
      '{ secret: A, locations }',
      '{ secret: A, locations }',
      '{ secret: B }',
      `{ secret: B, locations, ${named('b')} }`,
      `{ secret: A, locations, origin: 'https://a.example', ${named('c')} }`,
      `{ secret: B, locations, origin: 'https://b.example', ${named('c')} }`,
    ]
    expect(warningsOf(...applications)).toBe('')
  })
})
