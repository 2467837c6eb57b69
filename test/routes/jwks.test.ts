/** The key set: no cache keeps it beyond the moment at which one of its keys retires. */
import { expect, it } from 'vitest'
import { createAuth, createKeyRing, generateKey } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { NOW, stoppedClock } from '../token/forge.ts'

const signing = generateKey('ES256')
const old = generateKey('ES256')

it.each<[string, number | undefined, number, number]>([
  ['five minutes, where no key retires', undefined, 300, 2],
  ['five minutes, where one retires later', NOW + 301, 300, 2],
  ['until a key retires', NOW + 100, 100, 2],
  ['not at all in the last second of a key', NOW, 0, 2],
  ['five minutes, where one has retired', NOW - 1, 300, 1],
])('is kept %s', async (_, notAfter, seconds, count) => {
  const previous = { key: old, alg: 'ES256', ...(notAfter !== undefined && { notAfter }) } as const
  const keys = createKeyRing({ signing, verifying: [previous] })
  const auth = createAuth({ keys, clock: stoppedClock() })
  const handle = authRoutes(auth, { verifyCredentials: () => null })
  const response = await handle(new Request('https://auth.example/.well-known/jwks.json'))
  expect(response.headers.get('cache-control')).toBe(`public, max-age=${seconds}`)
  expect(((await response.json()) as { keys: unknown[] }).keys).toHaveLength(count)
})
