/** Users who are gone: what they hold is not exchanged for anything newer. */
import { describe, expect, it } from 'vitest'
import { guards } from '../../src/adapters/fetch.ts'
import type { AuthOptions } from '../../src/auth/options.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { codeOf, setUp } from '../token/forge.ts'

/** An application whose users can be deleted. */
function open(isStateful: boolean, options: AuthOptions = {}) {
  const users = new Map<string, object | Error>([['alice', { name: 'Alice' }]])
  const store = memoryStore()
  const { auth, clock } = setUp({
    locations: ['header', 'cookie'],
    csrf: false,
    subject: ({ sub }) => {
      const user = users.get(sub)
      if (user instanceof Error) throw user
      return user
    },
    ...(isStateful && { sessions: { store } }),
    ...options,
  } as AuthOptions)
  const handle = authRoutes(auth, {
    verifyCredentials: () => ({ subject: 'alice' }),
    address: () => '192.0.2.1',
  })
  const post = async (path: string, body: object, token?: string): Promise<[number, string | undefined]> => {
    const response = await handle(
      new Request(`http://localhost/auth/${path}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify(body),
      }),
    )
    return [response.status, ((await response.json()) as { code?: string }).code]
  }
  return { auth, clock, users, store, post }
}

describe.each([
  ['with a session store', true],
  ['without one', false],
] as const)('%s', (_, isStateful) => {
  it('a user who is gone gets no token by refresh or step-up, and one who is back does', async () => {
    const { auth, users, post } = open(isStateful)
    const { access_token, refresh_token } = await auth.createTokenPair('alice', { fresh: true })
    users.delete('alice')
    expect(await post('refresh', { refresh_token })).toEqual([401, 'subject_unknown'])
    expect(await post('verify-password', { password: 'x' }, access_token)).toEqual([401, 'subject_unknown'])
    users.set('alice', {})
    expect(await post('refresh', { refresh_token })).toEqual([200, undefined])
    expect(await post('verify-password', { password: 'x' }, access_token)).toEqual([200, undefined])
  })

  it('a lookup that fails says nothing of the user, and costs no token', async () => {
    const { auth, users, post } = open(isStateful)
    const { refresh_token } = await auth.createTokenPair('alice')
    users.set('alice', new Error('no database'))
    expect(await post('refresh', { refresh_token })).toEqual([503, 'store_unavailable'])
    users.set('alice', {})
    expect(await post('refresh', { refresh_token })).toEqual([200, undefined])
  })

  it('no token of a user who is gone is renewed in passing', async () => {
    const { auth, clock, users } = open(isStateful)
    const { access_token } = await auth.createTokenPair('alice', { fresh: true })
    clock.now += 800
    const handle = guards(auth).token({ renew: true })((_request, { sub }) => new Response(sub))
    const visit = (): Promise<Response> =>
      handle(new Request('http://localhost/', { headers: { cookie: `__Host-access_token=${access_token}` } }))
    expect((await visit()).headers.getSetCookie()).not.toEqual([])
    users.delete('alice')
    const response = await visit()
    expect(response.headers.getSetCookie()).toEqual([])
    expect(response.status).toBe(401)
  })
})

describe('sessions', () => {
  it('of a user who is gone are neither refreshed nor stepped up', async () => {
    const { auth, users } = open(true)
    const { access_token, refresh_token } = await auth.sessions.start('alice')
    const [access, refresh] = [
      await auth.verifyToken(access_token),
      await auth.verifyToken(refresh_token, { type: 'refresh' }),
    ]
    users.delete('alice')
    expect(await codeOf(() => auth.sessions.refresh(refresh))).toBe('subject_unknown')
    expect(await codeOf(() => auth.sessions.stepUp(access, async () => ({})))).toBe('subject_unknown')
  })

  it('end where `rights` say so, whatever `subject` finds', async () => {
    const { auth, users, post } = open(true, { sessions: { store: memoryStore(), rights: () => null } })
    for (const isKnown of [true, false]) {
      const { refresh_token } = await auth.sessions.start('alice')
      if (!isKnown) users.delete('alice')
      expect(await post('refresh', { refresh_token })).toEqual([401, 'session_revoked'])
      expect(await auth.sessions.list('alice')).toEqual([])
    }
  })

  it.each([undefined, true, 'admin', ['read']])(
    'whose `rights` are %j get no token, and go on when they are right',
    async (wrong) => {
      let rights: unknown = wrong
      const { post, auth } = open(true, {
        sessions: { store: memoryStore(), rights: () => rights as null },
      })
      const { refresh_token } = await auth.sessions.start('alice', { scopes: ['read'] })
      expect(await post('refresh', { refresh_token })).toEqual([500, 'configuration_invalid'])
      rights = { scopes: ['read'] }
      expect(await post('refresh', { refresh_token })).toEqual([200, undefined])
    },
  )
})
