/** Applications whose tests move the time: by fake timers of the test runner, with a store in memory. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createAuth } from '../../src/index.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { SECRET } from '../token/forge.ts'

beforeEach(() => void vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined))
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const START = 1_800_000_000_000
const MINUTE = 60_000

it.each<readonly [string, Parameters<typeof vi.useFakeTimers>[0]]>([
  ['all timers', {}],
  ['the date only', { toFake: ['Date'] }],
  ['the date and the timeouts', { toFake: ['Date', 'setTimeout', 'clearTimeout'] }],
])('a session goes on under fake timers: %s', async (_, config) => {
  vi.useFakeTimers(config)
  vi.setSystemTime(START)
  const auth = createAuth({ secret: SECRET, sessions: { store: memoryStore() } })
  const handle = authRoutes(auth, { verifyCredentials: ({ username }) => ({ subject: username }) })
  const post = async (path: string, body: object): Promise<Record<string, string>> => {
    const response = await handle(
      new Request(`http://localhost/auth/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    )
    expect(response.status).toBe(200)
    return (await response.json()) as Record<string, string>
  }
  let tokens = await post('login', { username: 'alice', password: 'x' })
  for (const minutes of [20, 60, 24 * 60]) {
    vi.setSystemTime(START + minutes * MINUTE)
    tokens = await post('refresh', { refresh_token: tokens['refresh_token'] })
    expect((await auth.verifyToken(tokens['access_token'] ?? '')).sub).toBe('alice')
    expect((await auth.verifyToken(tokens['access_token'] ?? '', { revocation: 'strict' })).sub).toBe('alice')
  }
  await auth.close()
})
