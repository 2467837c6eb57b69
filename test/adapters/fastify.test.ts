/** What only Fastify does: it calls hooks back, so a defect must reach it by `done`. What all doors do is in `test/contract/adapters/`. */
import { fastify } from 'fastify'
import { describe, expect, it } from 'vitest'
import { guards } from '../../src/adapters/fastify.ts'
import { claimsOf, forge, setUp } from '../token/forge.ts'

describe('a guard of Fastify', () => {
  it('reports that it cannot attach anything, synchronously and after a wait', async () => {
    const statuses: number[] = []
    for (const options of [{}, { isRevoked: async () => false }]) {
      const app = fastify()
      app.decorateRequest('auth', { getter: () => 'mine' })
      app.get('/', { onRequest: guards(setUp(options).auth).access() }, async () => ({}))
      const authorization = `Bearer ${forge(claimsOf())}`
      statuses.push((await app.inject({ url: '/', headers: { authorization } })).statusCode)
      await app.close()
    }
    expect(statuses).toEqual([500, 500])
  })
})
