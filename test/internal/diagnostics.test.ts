/** The tracing channels of requests and of calls of the store. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { type TracingChannelSubscribers, tracingChannel } from 'node:diagnostics_channel'
import { afterEach, describe, expect, it } from 'vitest'
import { createAuth } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** Writes down each message of a channel as it is when it is published. */
function listen(name: string): object[] {
  const seen: object[] = []
  const write =
    (phase: string) =>
    (message: object): void => {
      const { error, ...facts } = message as { error?: { code?: unknown } }
      seen.push({ phase, ...facts, ...(error && { error: error.code }) })
    }
  const subscribers = Object.fromEntries(
    ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((phase) => [phase, write(phase)]),
  ) as unknown as TracingChannelSubscribers<object>
  const channel = tracingChannel(name)
  channel.subscribe(subscribers)
  stops.push(() => channel.unsubscribe(subscribers))
  return seen
}

function setUp() {
  const store = memoryStore()
  const auth = createAuth({ secret: SECRET, sessions: { store } })
  const guard = auth.authenticator({})
  const toPort = (token?: string) => ({
    method: 'GET',
    url: '/x?y=z',
    header: (name: string) => (name === 'authorization' && token ? `Bearer ${token}` : undefined),
    queryParam: () => undefined,
    body: async () => undefined,
  })
  return { auth, store, guard: async (token?: string) => guard(toPort(token)) }
}

describe('tokenwright:authenticate', () => {
  it('tells of each request from its beginning to its end', async () => {
    const { auth, guard } = setUp()
    const { access_token } = await auth.createTokenPair('alice')
    await guard(access_token)
    const seen = listen('tokenwright:authenticate')
    await guard(access_token)
    await guard(access_token)
    const facts = { method: 'GET', type: 'access', code: null }
    expect(seen.slice(0, 4)).toMatchObject([
      { phase: 'start', ...facts, outcome: null, duration: null },
      { phase: 'end', ...facts, outcome: null },
      { phase: 'asyncStart', ...facts, outcome: 'verified', cached: false, duration: expect.any(Number) },
      { phase: 'asyncEnd', ...facts, outcome: 'verified', result: undefined },
    ])
    expect(seen.at(-1)).toMatchObject({ phase: 'asyncEnd', cached: true })
    expect(JSON.stringify(seen)).not.toMatch(/alice|eyJ/)
  })

  it('tells of refusals, of a bare token, and of a token that is missing', async () => {
    const { auth, guard } = setUp()
    const seen = listen('tokenwright:authenticate')
    await expect(guard()).rejects.toMatchObject({ code: 'token_missing' })
    await expect(auth.verifyToken('a.b.c')).rejects.toMatchObject({ code: 'token_malformed' })
    expect(seen.filter((message) => 'phase' in message && message.phase === 'asyncEnd')).toMatchObject([
      { method: 'GET', outcome: 'refused', code: 'token_missing', error: 'token_missing' },
      { method: null, outcome: 'refused', code: 'token_malformed' },
    ])
  })

  it('runs the request in what a subscriber has bound to it', async () => {
    const { auth, guard, store } = setUp()
    const { access_token } = await auth.createTokenPair('alice')
    const storage = new AsyncLocalStorage<string>()
    const channel = tracingChannel('tokenwright:authenticate')
    channel.start.bindStore(storage, () => 'this request')
    stops.push(() => void channel.start.unbindStore(storage))
    let found: string | undefined
    const { isRevoked } = store
    store.isRevoked = (query) => {
      found = storage.getStore()
      return isRevoked(query)
    }
    await guard(access_token)
    expect(found).toBe('this request')
  })
})

describe('tokenwright:store', () => {
  it('tells of each call: the step, the store, and what became of it', async () => {
    const { auth, store } = setUp()
    const seen = listen('tokenwright:store')
    const { refresh_token } = await auth.createTokenPair('alice')
    const payload = await auth.verifyToken(refresh_token, { type: 'refresh' })
    await auth.sessions.refresh(payload)
    store.rotate = () => Promise.reject(new Error('down'))
    await auth.sessions.refresh(payload).catch(() => undefined)
    const ends = seen.filter((message) => 'phase' in message && message.phase === 'asyncEnd')
    expect(ends).toMatchObject([
      { step: 'now', store: 'memory', outcome: 'ok', word: null },
      { step: 'start', outcome: 'ok', word: 'started' },
      { step: 'get', outcome: 'ok', word: 'rotated' },
      { step: 'rotate', outcome: 'ok', word: 'rotated', result: undefined },
      { step: 'rotate', outcome: 'failed', word: null },
    ])
    expect(JSON.stringify(seen)).not.toMatch(/alice|eyJ/)
  })
})
