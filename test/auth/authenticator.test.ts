/** Authenticators: the pipeline prepared for one route, which returns at once where it can. */
import { describe, expect, it } from 'vitest'
import type { Requirement } from '../../src/auth/requirement.ts'
import { type RequestPort, toRequestPort } from '../../src/http/request-port.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { claimsOf, complaintOf, forge, setUp } from '../token/forge.ts'

const by = (token: string, init: RequestInit = {}) =>
  toRequestPort(
    new Request('https://app.example/', { headers: { authorization: `Bearer ${token}` }, ...init }),
  )

/** Runs an authenticator that may throw at once, as a promise. */
const run = async <T>(authenticate: (request: RequestPort) => T, request: RequestPort) =>
  authenticate(request)

describe('an authenticator', () => {
  it('returns at once for a token in the header, new or cached', async () => {
    const { auth } = setUp()
    const authenticate = auth.authenticator({})
    const request = by(forge(claimsOf()))
    const first = authenticate(request)
    expect(first).not.toBeInstanceOf(Promise)
    const payload = (await first).auth
    expect(await auth.authenticate(request)).toBe(payload)
    const again = authenticate(request)
    expect(again).not.toBeInstanceOf(Promise)
    expect((await again).auth).toBe(payload)
  })

  it('returns a promise for a new token whose claims have a schema, and not for a cached one', async () => {
    const validate = (value: unknown) => ({ value: value as Readonly<Record<string, unknown>> })
    const { auth } = setUp({ claims: { '~standard': { version: 1, vendor: 'test', validate } } })
    const authenticate = auth.authenticator({})
    const request = by(forge(claimsOf()))
    const first = authenticate(request)
    expect(first).toBeInstanceOf(Promise)
    const payload = (await first).auth
    const again = authenticate(request)
    expect(again).not.toBeInstanceOf(Promise)
    expect((await again).auth).toBe(payload)
  })

  it('returns the user beside the payload where there is a loader, also of a cached token', async () => {
    const { auth } = setUp()
    const authenticate = auth.authenticator({}, async ({ sub }) => `user ${sub}`)
    const request = by(forge(claimsOf({ sub: 'a' })))
    for (const _ of ['verified', 'cached'])
      expect(await authenticate(request)).toMatchObject({ auth: { sub: 'a' }, subject: 'user a' })
  })

  it('checks all that a route requires of a cached token, and emits a refusal once', async () => {
    const heard: string[] = []
    const { auth, clock } = setUp({ on: { refused: ({ code }) => heard.push(code) } })
    const request = by(forge(claimsOf({ scopes: ['read'] })))
    const refused: readonly (readonly [Requirement, string])[] = [
      [{ scopes: ['write'] }, 'scope_missing'],
      [{ fresh: true }, 'fresh_token_required'],
      [{ type: 'refresh' }, 'refresh_token_required'],
      [{ realm: 'admin' }, 'realm_mismatch'],
    ]
    await auth.authenticator({})(request)
    for (const [requirement, code] of refused)
      expect(() => auth.authenticator(requirement)(request)).toThrow(expect.objectContaining({ code }))
    clock.now += 86_400
    await expect(run(auth.authenticator({}), request)).rejects.toMatchObject({ code: 'token_expired' })
    expect(heard).toEqual([...refused.map(([, code]) => code), 'token_expired'])
  })

  it('finds a header in the cache by the whole of it, whatever it was cached from', async () => {
    const token = forge(claimsOf())
    for (const first of ['Bearer', 'bearer']) {
      const authenticate = setUp().auth.authenticator({})
      const ask = async (authorization: string) => authenticate(by(token, { headers: { authorization } }))
      for (const scheme of [first, 'Bearer', 'bearer'])
        expect(await ask(`${scheme} ${token}`)).toMatchObject({ auth: { type: 'access' } })
      for (const scheme of ['Digest', 'Basic', 'BEARER2'])
        await expect(ask(`${scheme} ${token}`)).rejects.toMatchObject({ code: 'token_missing' })
      for (const value of [`Bearer ${token} ${token}`, `Bearer ${token}, Bearer ${token}`])
        await expect(ask(value)).rejects.toMatchObject({ code: 'request_invalid' })
    }
  })

  it('searches all locations of a route, and no other, also for a cached token', async () => {
    const { auth } = setUp({ locations: ['header', 'query', 'cookie'] })
    const token = forge(claimsOf())
    const headers = { authorization: `Bearer ${token}` }
    const twice = toRequestPort(new Request(`https://app.example/?access_token=${token}`, { headers }))
    await auth.authenticator({})(by(token))
    await expect(auth.authenticator({})(twice)).rejects.toMatchObject({ code: 'request_invalid' })
    await expect(auth.authenticator({ locations: ['cookie'] })(by(token))).rejects.toMatchObject({
      code: 'token_missing',
    })
  })

  it('reads the header once where there is no cache', async () => {
    const reads: string[] = []
    const request = by(forge(claimsOf()))
    const counting: RequestPort = {
      method: 'GET',
      url: '/',
      header(name) {
        reads.push(name)
        return request.header(name)
      },
    }
    await setUp({ cache: false }).auth.authenticator({})(counting)
    expect(reads).toEqual(['authorization'])
  })

  it('asks the blocklist about a cached token, too', async () => {
    const blocked = new Set<string>()
    const { auth } = setUp({ isRevoked: ({ sub }) => blocked.has(sub) })
    const authenticate = auth.authenticator({})
    const request = by(forge(claimsOf({ sub: 'a' })))
    await authenticate(request)
    await authenticate(request)
    blocked.add('a')
    await expect(authenticate(request)).rejects.toMatchObject({ code: 'token_revoked' })
  })

  it('rejects with what it refuses, and tells the listener once', async () => {
    const heard: string[] = []
    const { auth } = setUp({ on: { refused: ({ code, method }) => heard.push(`${method} ${code}`) } })
    const authenticate = auth.authenticator({ scopes: ['admin'] })
    await expect(run(authenticate, by(forge(claimsOf())))).rejects.toMatchObject({ code: 'scope_missing' })
    await expect(run(authenticate, by('x'))).rejects.toMatchObject({ code: 'token_malformed' })
    expect(heard).toEqual(['GET scope_missing', 'GET token_malformed'])
  })

  it('returns null for no token where it is optional, and refuses a bad one', async () => {
    const { auth } = setUp()
    const authenticate = auth.authenticator({ optional: true })
    expect(await authenticate(by('', { headers: {} }))).toEqual({ auth: null })
    await expect(run(authenticate, by('x'))).rejects.toMatchObject({ code: 'token_malformed' })
  })

  it('returns a promise where a body or a blocklist is read, and emits what is refused then', async () => {
    const heard: string[] = []
    const { auth } = setUp({
      isRevoked: async ({ sub }) => sub === 'revoked',
      on: { refused: ({ code }) => heard.push(code) },
    })
    const passed = auth.authenticator({})(by(forge(claimsOf())))
    expect(passed).toBeInstanceOf(Promise)
    expect((await passed).auth.sub).toBe(claimsOf()['sub'])
    const refused = auth.authenticator({})(by(forge(claimsOf({ sub: 'revoked' }))))
    await expect(refused).rejects.toMatchObject({ code: 'token_revoked' })
    const unread = auth.authenticator({ locations: ['body'] })(by('x'))
    await expect(unread).rejects.toMatchObject({ code: 'token_missing' })
    expect(heard).toEqual(['token_revoked', 'token_missing'])
  })

  it('asks a store until its log is known, and the cache from then on', async () => {
    const { auth } = setUp({ sessions: { store: memoryStore() } })
    const authenticate = auth.authenticator({})
    const request = by(forge(claimsOf()))
    expect(authenticate(request)).toBeInstanceOf(Promise)
    await authenticate(request)
    await auth.ready()
    expect(authenticate(request)).not.toBeInstanceOf(Promise)
    const strict = auth.authenticator({ revocation: 'strict' })(request)
    expect(strict).toBeInstanceOf(Promise)
    await strict
    await auth.close()
  })

  it('refuses an unfit requirement when the route is made, and ignores later changes of it', async () => {
    const { auth } = setUp()
    expect(await complaintOf(() => auth.authenticator({ scope: ['a'] } as never))).toMatch(/scope/)
    const requirement = { scopes: ['a'] }
    const authenticate = auth.authenticator(requirement)
    requirement.scopes = []
    await expect(run(authenticate, by(forge(claimsOf())))).rejects.toMatchObject({ code: 'scope_missing' })
  })
})
