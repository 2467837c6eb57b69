/** One-time tokens: redeemed once, for one purpose, void when what they are bound to has changed. */
import { describe, expect, it } from 'vitest'
import { createAuth } from '../../src/auth/create-auth.ts'
import type { AuthOptions } from '../../src/auth/options.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const secret = 'k7Qd2xV9mZp4Rt8wYc1Hn6Bs3Lf5Gj0aUeIoXyKvWqM'

function setUp(options: Partial<AuthOptions<Readonly<Record<string, unknown>>, never>> = {}) {
  const clock = { now: Math.floor(Date.now() / 1000) }
  const auth = createAuth({ secret, sessions: { store: memoryStore() }, clock: () => clock.now, ...options })
  return { auth, clock }
}

describe('a one-time token', () => {
  it('is redeemed once, with its subject and data', async () => {
    const { auth } = setUp()
    const token = await auth.oneTime.create('verify-mail', 'user-1', { data: { mail: 'a@example.com' } })
    expect(await auth.oneTime.redeem('verify-mail', token)).toEqual({
      subject: 'user-1',
      data: { mail: 'a@example.com' },
    })
    await expect(auth.oneTime.redeem('verify-mail', token)).rejects.toMatchObject({ code: 'token_revoked' })
  })

  it('is redeemed by one of a hundred calls, of two applications on one store', async () => {
    const store = memoryStore()
    const auths = [1, 2].map(() => createAuth({ secret, sessions: { store } }))
    const token = await auths[0]!.oneTime.create('invite', 'user-1')
    const calls = Array.from({ length: 100 }, (_, at) => auths[at % 2]!.oneTime.redeem('invite', token))
    const results = await Promise.allSettled(calls)
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'token_revoked' })
    for (const auth of auths) await auth.close()
  })

  it('is of no use for another purpose, of another realm, key or issuer, or when it has expired', async () => {
    const { auth, clock } = setUp()
    const token = await auth.oneTime.create('reset-password', 'user-1', { expiresIn: '10m' })
    const attempt = (other: typeof auth, purpose = 'reset-password') => other.oneTime.redeem(purpose, token)
    await expect(attempt(auth, 'verify-mail')).rejects.toMatchObject({ code: 'token_malformed' })
    await expect(attempt(setUp({ realm: 'admin' }).auth)).rejects.toMatchObject({ code: 'realm_mismatch' })
    await expect(attempt(setUp({ issuer: 'https://other.example' }).auth)).rejects.toMatchObject({
      code: 'issuer_invalid',
    })
    await expect(attempt(setUp({ secret: `${secret}2` }).auth)).rejects.toMatchObject({
      code: 'signature_invalid',
    })
    clock.now += 700
    await expect(attempt(auth)).rejects.toMatchObject({ code: 'token_expired' })
  })

  it('is accepted by no guard, and no other token is redeemed', async () => {
    const { auth } = setUp()
    const token = await auth.oneTime.create('login', 'user-1')
    await expect(auth.verifyToken(token)).rejects.toMatchObject({ code: 'token_malformed' })
    await expect(auth.verifyToken(token, { type: 'refresh' })).rejects.toMatchObject({
      code: 'token_malformed',
    })
    const pair = await auth.sessions.start('user-1')
    const ticket = await auth.createTicket(await auth.verifyToken(pair.access_token))
    for (const other of [pair.access_token, pair.refresh_token, ticket.ticket, '', 'x', undefined as never])
      await expect(auth.oneTime.redeem('login', other)).rejects.toMatchObject({ code: 'token_malformed' })
  })

  it('is void when what it is bound to has changed, and stays good when a wrong text was given', async () => {
    const { auth } = setUp()
    const hashes = new Map([['user-1', 'hash-1']])
    const bind = (subject: string) => hashes.get(subject)
    const token = await auth.oneTime.create('reset-password', 'user-1', { bind: 'hash-1' })
    expect(Buffer.from(token.split('.')[1]!, 'base64url').toString()).not.toContain('hash-1')
    for (const wrong of [{}, { bind: 'hash-2' }, { bind: '' }, { bind: () => undefined }])
      await expect(auth.oneTime.redeem('reset-password', token, wrong)).rejects.toMatchObject({
        code: 'token_revoked',
      })
    expect(await auth.oneTime.redeem('reset-password', token, { bind })).toMatchObject({ subject: 'user-1' })
    const later = await auth.oneTime.create('reset-password', 'user-1', { bind: 'hash-1' })
    hashes.set('user-1', 'hash-2')
    await expect(auth.oneTime.redeem('reset-password', later, { bind })).rejects.toMatchObject({
      code: 'token_revoked',
    })
    const unbound = await auth.oneTime.create('reset-password', 'user-1')
    await expect(auth.oneTime.redeem('reset-password', unbound, { bind })).rejects.toMatchObject({
      code: 'token_revoked',
    })
  })

  it('tells a mistake of the caller, and repeats no token', async () => {
    const { auth } = setUp()
    const { oneTime } = auth
    await expect(oneTime.create('', 'user-1')).rejects.toThrow(/purpose/)
    await expect(oneTime.create('a b', 'user-1')).rejects.toThrow(/purpose/)
    await expect(oneTime.create('login', '')).rejects.toThrow(/subject/)
    await expect(oneTime.create('login', 'a', { expiresIn: '31d' })).rejects.toThrow(TypeError)
    await expect(oneTime.create('login', 'a', { lifetime: 5 } as never)).rejects.toThrow(/lifetime/)
    await expect(oneTime.create('login', 'a', { bind: 5 } as never)).rejects.toThrow(/bind/)
    await expect(oneTime.create('login', 'a', { data: { at: new Date() } })).rejects.toThrow(/data\.at/)
    await expect(oneTime.create('login', 'a', { data: { text: 'x'.repeat(9000) } })).rejects.toThrow(
      /too large/,
    )
    await expect(createAuth({ secret }).oneTime.create('login', 'a')).rejects.toMatchObject({
      name: 'ConfigurationError',
    })
    await expect(createAuth({ secret }).oneTime.redeem('login', 'a')).rejects.toMatchObject({
      name: 'ConfigurationError',
    })
  })

  it('is short enough for a link', async () => {
    const token = await setUp().auth.oneTime.create('reset-password', '64f1c0ffee5a', { bind: 'hash' })
    expect(token.length).toBeLessThan(400)
  })
})
