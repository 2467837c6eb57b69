/** Gates: the journey prepared for one route, which answers at once wherever nothing has to be waited for. */
import { describe, expect, it } from 'vitest'
import type { Requirement } from '../../src/auth/requirement.ts'
import { type RequestPort, toRequestPort } from '../../src/http/request-port.ts'
import { andThen, type Steps, settle } from '../../src/internal/awaitable.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { claimsOf, complaintOf, forge, setUp } from '../token/forge.ts'

const by = (token: string, init: RequestInit = {}) =>
  toRequestPort(
    new Request('https://app.example/', { headers: { authorization: `Bearer ${token}` }, ...init }),
  )

describe('a gate', () => {
  it('answers the payload at once, the first time and from the cache', async () => {
    const { auth } = setUp()
    const gate = auth.authenticator({})
    const request = by(forge(claimsOf()))
    const first = gate(request)
    expect(first).not.toBeInstanceOf(Promise)
    const payload = await auth.authenticate(request)
    expect(first).toEqual({ auth: payload })
    const again = gate(request)
    expect(again).not.toBeInstanceOf(Promise)
    expect((await again).auth).toBe(payload)
  })

  it('answers the user beside the payload where there is a loader, also of a token from the cache', async () => {
    const { auth } = setUp()
    const gate = auth.authenticator({}, async ({ sub }) => `user ${sub}`)
    const request = by(forge(claimsOf({ sub: 'a' })))
    for (const _ of ['verified', 'remembered'])
      expect(await gate(request)).toMatchObject({ auth: { sub: 'a' }, subject: 'user a' })
  })

  it('asks of a remembered token all that a route asks, and tells of a refusal once', () => {
    const heard: string[] = []
    const { auth, clock } = setUp({ on: { refused: ({ code }) => heard.push(code) } })
    const request = by(forge(claimsOf({ scopes: ['read'] })))
    const refused: readonly (readonly [Requirement, string])[] = [
      [{ scopes: ['write'] }, 'scope_missing'],
      [{ fresh: true }, 'fresh_token_required'],
      [{ type: 'refresh' }, 'refresh_token_required'],
      [{ realm: 'admin' }, 'realm_mismatch'],
    ]
    void auth.authenticator({})(request)
    for (const [requirement, code] of refused)
      expect(() => auth.authenticator(requirement)(request)).toThrow(expect.objectContaining({ code }))
    clock.now += 86_400
    expect(() => auth.authenticator({})(request)).toThrow(expect.objectContaining({ code: 'token_expired' }))
    expect(heard).toEqual([...refused.map(([, code]) => code), 'token_expired'])
  })

  it('knows a header again by the whole of it, whatever it was remembered from', () => {
    const token = forge(claimsOf())
    for (const first of ['Bearer', 'bearer']) {
      const gate = setUp().auth.authenticator({})
      const ask = (authorization: string): unknown => gate(by(token, { headers: { authorization } }))
      for (const scheme of [first, 'Bearer', 'bearer'])
        expect(ask(`${scheme} ${token}`)).toMatchObject({ auth: { type: 'access' } })
      for (const scheme of ['Digest', 'Basic', 'BEARER2'])
        expect(() => ask(`${scheme} ${token}`)).toThrow(expect.objectContaining({ code: 'token_missing' }))
      for (const value of [`Bearer ${token} ${token}`, `Bearer ${token}, Bearer ${token}`])
        expect(() => ask(value)).toThrow(expect.objectContaining({ code: 'request_invalid' }))
    }
  })

  it('looks at all the places of a route, and at no other, also for a remembered token', () => {
    const { auth } = setUp({ locations: ['header', 'query', 'cookie'] })
    const token = forge(claimsOf())
    const headers = { authorization: `Bearer ${token}` }
    const twice = toRequestPort(new Request(`https://app.example/?access_token=${token}`, { headers }))
    void auth.authenticator({})(by(token))
    expect(() => auth.authenticator({})(twice)).toThrow(expect.objectContaining({ code: 'request_invalid' }))
    expect(() => auth.authenticator({ locations: ['cookie'] })(by(token))).toThrow(
      expect.objectContaining({ code: 'token_missing' }),
    )
  })

  it('reads the header once where nothing is remembered', () => {
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
    void setUp({ cache: false }).auth.authenticator({})(counting)
    expect(reads).toEqual(['authorization'])
  })

  it('asks the blocklist about a remembered token, too', async () => {
    const blocked = new Set<string>()
    const { auth } = setUp({ isRevoked: ({ sub }) => blocked.has(sub) })
    const gate = auth.authenticator({})
    const request = by(forge(claimsOf({ sub: 'a' })))
    await gate(request)
    await gate(request)
    blocked.add('a')
    await expect(gate(request)).rejects.toMatchObject({ code: 'token_revoked' })
  })

  it('throws what it refuses, and tells the listener once', () => {
    const heard: string[] = []
    const { auth } = setUp({ on: { refused: ({ code, method }) => heard.push(`${method} ${code}`) } })
    const gate = auth.authenticator({ scopes: ['admin'] })
    expect(() => gate(by(forge(claimsOf())))).toThrow(expect.objectContaining({ code: 'scope_missing' }))
    expect(() => gate(by('x'))).toThrow(expect.objectContaining({ code: 'token_malformed' }))
    expect(heard).toEqual(['GET scope_missing', 'GET token_malformed'])
  })

  it('answers null for no token where it is optional, and refuses a bad one', () => {
    const { auth } = setUp()
    const gate = auth.authenticator({ optional: true })
    expect(gate(by('', { headers: {} }))).toEqual({ auth: null })
    expect(() => gate(by('x'))).toThrow(expect.objectContaining({ code: 'token_malformed' }))
  })

  it('answers a promise where a body or a blocklist has to be waited for, and tells of what is refused then', async () => {
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

  it('asks a store until its log is known, and nobody from then on', async () => {
    const { auth } = setUp({ sessions: { store: memoryStore() } })
    const gate = auth.authenticator({})
    const request = by(forge(claimsOf()))
    expect(gate(request)).toBeInstanceOf(Promise)
    await gate(request)
    await auth.ready()
    expect(gate(request)).not.toBeInstanceOf(Promise)
    const strict = auth.authenticator({ revocation: 'strict' })(request)
    expect(strict).toBeInstanceOf(Promise)
    await strict
    await auth.close()
  })

  it('is refused when the route is made for an unfit requirement, and does not follow later changes of it', async () => {
    const { auth } = setUp()
    expect(await complaintOf(() => auth.authenticator({ scope: ['a'] } as never))).toMatch(/scope/)
    const requirement = { scopes: ['a'] }
    const gate = auth.authenticator(requirement)
    requirement.scopes = []
    expect(() => gate(by(forge(claimsOf())))).toThrow(expect.objectContaining({ code: 'scope_missing' }))
  })
})

describe('settling', () => {
  const fail = (): never => {
    throw new Error('attempt')
  }

  /** Steps that note what they are told. */
  function toSteps(attempt: () => unknown, changes: Partial<Steps<unknown[], unknown, unknown>> = {}) {
    return {
      attempt,
      attach: (heard: unknown[], value: unknown) => void heard.push(value),
      enter: (heard: unknown[]) => `entered with ${heard}`,
      refuse: (heard: unknown[], error: unknown) => `refused with ${heard}: ${(error as Error).message}`,
      ...changes,
    }
  }

  it('goes on with a value or an error, thrown or rejected', async () => {
    expect(
      settle(
        [],
        toSteps(() => 1),
      ),
    ).toBe('entered with 1')
    expect(settle([], toSteps(fail))).toBe('refused with : attempt')
    expect(
      await settle(
        [],
        toSteps(async () => 1),
      ),
    ).toBe('entered with 1')
    expect(
      await settle(
        [],
        toSteps(async () => fail()),
      ),
    ).toBe('refused with : attempt')
  })

  it('refuses what cannot be attached, at once and after a wait', async () => {
    expect(
      settle(
        [],
        toSteps(() => 1, { attach: fail }),
      ),
    ).toBe('refused with : attempt')
    expect(
      await settle(
        [],
        toSteps(async () => 1, { attach: fail }),
      ),
    ).toBe('refused with : attempt')
  })

  it('lets pass what the next step throws: nobody is refused for it', async () => {
    const refused: unknown[] = []
    const refuse = (_call: unknown, error: unknown): void => void refused.push(error)
    const throwing = { enter: fail, refuse }
    expect(() =>
      settle(
        [],
        toSteps(() => 1, throwing),
      ),
    ).toThrow('attempt')
    await expect(
      settle(
        [],
        toSteps(async () => 1, throwing),
      ),
    ).rejects.toThrow('attempt')
    await expect(
      settle(
        [],
        toSteps(() => 1, { enter: async () => fail(), refuse }),
      ),
    ).rejects.toThrow('attempt')
    expect(refused).toEqual([])
  })

  it('goes on at once where there is nothing to wait for', async () => {
    expect(andThen(1, (value) => value + 1)).toBe(2)
    expect(await andThen(Promise.resolve(1), (value) => value + 1)).toBe(2)
  })
})
