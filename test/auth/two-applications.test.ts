/** What one `createAuth` has verified proves nothing to another one, whatever their options have in common. */
import { describe, expect, it } from 'vitest'
import { guards } from '../../src/adapters/express.ts'
import { type Auth, createAuth } from '../../src/auth/create-auth.ts'
import type { AuthOptions } from '../../src/auth/options.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { claimsOf, codeOf, complaintOf, forge, SECRET, stoppedClock } from '../token/forge.ts'

const OTHER = 'w8Qm3ZrT5uYx1CvBn7KpLs2Dg6Hj9Fa0eR4tUiOoVbNzXcMq'
const PAIRS: readonly (readonly [string, AuthOptions, AuthOptions])[] = [
  ['two secrets', { secret: SECRET }, { secret: OTHER }],
  [
    'two issuers',
    { secret: SECRET, issuer: 'https://a.example' },
    { secret: OTHER, issuer: 'https://b.example' },
  ],
  ['two realms', { secret: SECRET, realm: 'user' }, { secret: SECRET, realm: 'admin' }],
  ['the same options', { secret: SECRET }, { secret: SECRET }],
]
const ANOTHER = /got a payload that another `createAuth` verified; verify its token here, or pass its `sub`$/

/** Everything that takes a payload. */
const TAKERS: readonly (readonly [string, (auth: Auth, payload: never) => unknown])[] = [
  ['createAccessToken', (auth, payload) => auth.createAccessToken(payload)],
  ['createTokenPair', (auth, payload) => auth.createTokenPair(payload)],
  ['sessions.start', (auth, payload) => auth.sessions.start(payload)],
  ['sessions.refresh', (auth, payload) => auth.sessions.refresh(payload)],
  ['sessions.stepUp', (auth, payload) => auth.sessions.stepUp(payload, async () => ({}))],
  ['revoke', (auth, payload) => auth.revoke(payload)],
  ['recheck', (auth, payload) => auth.recheck(payload)],
  ['follow', (auth, payload) => auth.follow(payload, () => undefined)],
  ['createTicket', (auth, payload) => auth.createTicket(payload)],
]

describe.each(PAIRS)('%s', (_, first, second) => {
  const clock = stoppedClock()
  const user = createAuth({ ...first, clock })
  const admin = createAuth({ ...second, clock, sessions: { store: memoryStore() } })

  it.each(TAKERS)('%s refuses what the other one verified, and says why', async (_, take) => {
    const payload = await user.verifyToken(await user.createAccessToken('7'))
    const complaint = await complaintOf(() => take(admin, payload as never))
    expect(complaint).toMatch(/^TypeError: Expected `(payload|subject)` to be /)
    expect(complaint).toMatch(ANOTHER)
  })

  it.each(TAKERS)('%s refuses what only looks like a payload', async (_, take) => {
    const payload = await admin.verifyToken(await admin.createAccessToken('7'))
    for (const value of [
      { ...payload },
      Object.create(payload),
      structuredClone(payload),
      null,
      undefined,
      5,
    ]) {
      const complaint = await complaintOf(() => take(admin, value as never))
      expect(complaint).toMatch(/^TypeError: Expected `(payload|subject)` to be .* returned, got /)
      expect(complaint).not.toMatch(ANOTHER)
    }
  })
})

describe('its own payloads are taken', () => {
  it('from verifyToken, a guard, a schema and a ticket', async () => {
    const clock = stoppedClock()
    const passes = {
      '~standard': { version: 1, vendor: 'x', validate: (value: unknown) => ({ value }) },
    } as const
    const auth = createAuth({
      secret: SECRET,
      clock,
      claims: passes as never,
      sessions: { store: memoryStore() },
    })
    const token = await auth.createAccessToken('u')
    const { ticket } = await auth.createTicket(await auth.verifyToken(token))
    const request = new Request(`http://localhost/?ticket=${ticket}`)
    const payloads = [
      await auth.verifyToken(token),
      await auth.authenticate(
        new Request('http://localhost', { headers: { authorization: `Bearer ${token}` } }),
      ),
      await auth.authenticate(request, { locations: ['ticket'] }),
    ]
    for (const payload of payloads) expect(await codeOf(() => auth.recheck(payload))).toBe('accepted')
  })
})

describe('a request that a guard of another application let pass', () => {
  it.each(['payload', 'optionalPayload', 'subjectOf'] as const)(
    '%s of ours does not read it',
    async (name) => {
      const user = createAuth({ secret: SECRET, clock: stoppedClock() })
      const admin = createAuth({ secret: OTHER, clock: stoppedClock(), subject: () => ({}) })
      const req = { auth: await user.verifyToken(forge(claimsOf())), subject: { id: 7 } } as never
      expect(await complaintOf(() => guards(admin)[name](req))).toMatch(
        /^ConfigurationError: Expected `guard\.\w+\(\)` of this `createAuth` to stand before .*: a guard of another one did$/,
      )
      expect((guards(user).payload(req) as { sub: string }).sub).toBe('user-1')
      expect((guards(user).payload(req) as { sub: string }).sub).toBe('user-1')
    },
  )
})
