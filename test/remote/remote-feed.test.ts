/** A service without the session store learns of revocations within a second, over real HTTP. */
import { afterEach, describe, expect, it } from 'vitest'
import type { Auth } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { codeOf, createService, type Issuer, startIssuer, until } from './services.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function start(...args: Parameters<typeof startIssuer>): Promise<Issuer> {
  const issuer = await startIssuer(...args)
  open.push(issuer)
  return issuer
}

function follow(...args: Parameters<typeof createService>): Auth {
  const service = createService(...args)
  open.push(service)
  return service
}

describe('a service without the store', () => {
  it('refuses the tokens of a session within a second of its end', async () => {
    const issuer = await start()
    const service = follow(issuer.url)
    const [alice, bob] = await Promise.all(
      ['alice', 'bob'].map(async (sub) => (await issuer.auth.sessions.start(sub)).access_token),
    )
    const verify = (token = '') => codeOf(() => service.verifyToken(token))
    expect([await verify(alice), await verify(bob)]).toEqual(['accepted', 'accepted'])
    for (let round = 0; round < 3; round++) {
      const { access_token } = await issuer.auth.sessions.start('alice')
      expect(await verify(access_token)).toBe('accepted')
      await issuer.auth.sessions.endAll('alice')
      expect(await until('token_revoked', () => verify(access_token))).toBeLessThan(1)
    }
    expect([await verify(alice), await verify(bob)]).toEqual(['token_revoked', 'accepted'])
    expect(service.state()).toMatchObject({ caughtUp: true, entries: 4, overflows: false })
  })

  it('asks once in five seconds while nothing happens', async () => {
    const issuer = await start()
    const service = follow(issuer.url)
    await service.ready()
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(issuer.requests.length).toBe(2)
    expect(issuer.requests[1]?.get('wait')).toBe('5.000')
    expect(service.state()?.age).toBeLessThan(2)
  })

  it('refuses before the first reading, and after `maxStale`, and heals', async () => {
    const issuer = await start()
    const { access_token } = await issuer.auth.sessions.start('alice')
    const port = Number(new URL(issuer.origin).port)
    const service = follow(issuer.url, { revocation: { maxStale: '2s' } })
    const cold = follow(issuer.url)
    await issuer.auth.revoke(
      await issuer.auth.verifyToken((await issuer.auth.sessions.start('bob')).access_token),
    )
    expect(await codeOf(() => service.verifyToken(access_token))).toBe('accepted')
    await issuer.close()
    open.splice(open.indexOf(issuer), 1)
    expect(await codeOf(() => cold.verifyToken(access_token))).toBe('store_unavailable')
    expect(await codeOf(() => service.verifyToken(access_token))).toBe('accepted')
    const seconds = await until('store_unavailable', () => codeOf(() => service.verifyToken(access_token)))
    expect(seconds).toBeGreaterThan(1)
    expect(seconds).toBeLessThan(3)
    const again = await start(issuer.store, {}, port)
    const verify = (auth: Auth) => codeOf(() => auth.verifyToken(access_token))
    expect(await until('accepted', () => verify(service))).toBeLessThan(5)
    expect(await until('accepted', () => verify(cold))).toBeLessThan(5)
    // It goes on where it was: only the cold one reads from the beginning.
    expect(again.requests.filter((query) => !query.has('cursor')).length).toBe(1)
    await again.auth.sessions.endAll('alice')
    expect(await until('token_revoked', () => verify(service))).toBeLessThan(1)
  })

  it('asks about strict routes and long-lived tokens, and about refresh tokens', async () => {
    const store = memoryStore()
    const issuer = await start(store)
    const service = follow(issuer.url)
    const { access_token, refresh_token } = await issuer.auth.sessions.start('alice', { fresh: true })
    await service.ready()
    const strict = () => codeOf(() => service.verifyToken(access_token, { revocation: 'strict' }))
    const fresh = () => codeOf(() => service.verifyToken(access_token, { fresh: true }))
    const refresh = () => codeOf(() => service.verifyToken(refresh_token, { type: 'refresh' }))
    expect([await strict(), await fresh(), await refresh()]).toEqual(['accepted', 'accepted', 'accepted'])
    await issuer.auth.sessions.endAll('alice')
    expect([await strict(), await fresh(), await refresh()]).toEqual([
      'token_revoked',
      'token_revoked',
      'token_revoked',
    ])
  })
})
