/**
 * Several memory stores in one process, as where a framework loads the application's module several
 * times: a token of one gets one verdict at the other, from the first check to the last, and the
 * process says what is wrong.
 */
import { beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest'
import { type AuthOptions, createAuth, type TokenPair } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { codeOf, SECRET } from '../token/forge.ts'

let warn: MockInstance<typeof process.emitWarning>
beforeEach(() => {
  warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  // What the process was told is kept there, for all copies of the module.
  Reflect.deleteProperty(globalThis, Symbol.for('tokenwright.memoryStores'))
})

const WARNED = [
  [
    expect.stringMatching(/several memory stores.*globalThis/),
    { type: 'TokenwrightWarning', code: 'TOKENWRIGHT_MEMORY_STORES' },
  ],
]

const open = (store = memoryStore(), options: AuthOptions = {}) =>
  createAuth({ secret: SECRET, sessions: { store }, ...options })

describe('a token of another memory store', () => {
  /** Everything that asks about a token, in an order in which it used to change its mind. */
  async function verdicts(auth: ReturnType<typeof open>, { access_token, refresh_token }: TokenPair) {
    const access = (options = {}) => codeOf(() => auth.verifyToken(access_token, options))
    const request = new Request('http://localhost', { headers: { authorization: `Bearer ${access_token}` } })
    return [
      await access(),
      await auth.ready().then(() => access()),
      await access(),
      await access({ fresh: true }),
      await access({ revocation: 'strict' }),
      await codeOf(() => auth.authenticate(request)),
      await codeOf(() => auth.verifyToken(refresh_token, { type: 'refresh' })),
    ]
  }
  const REFUSED = [...Array(6).fill('token_revoked'), 'session_revoked']

  it('is refused by every check, with one message', async () => {
    const [first, second] = [open(), open()]
    const pair = await first.createTokenPair('u', { fresh: true })
    expect(await verdicts(second, pair)).toEqual(REFUSED)
    expect(await verdicts(second, pair)).toEqual(REFUSED)
    expect(warn.mock.calls).toEqual(WARNED)
    // Where it belongs it is good.
    expect(new Set(await verdicts(first, pair))).toEqual(new Set(['accepted']))
  })

  it('is refused where the other one had read its log before', async () => {
    const [first, second] = [open(), open()]
    await second.ready()
    await second.verifyToken((await second.createTokenPair('v')).access_token)
    expect(await verdicts(second, await first.createTokenPair('u', { fresh: true }))).toEqual(REFUSED)
    expect(warn.mock.calls).toEqual(WARNED)
  })

  it('is refused by a store that was restarted, and no one is told that there are two', async () => {
    const pair = await createAuth({
      secret: SECRET,
      sessions: { store: { ...memoryStore(), start: memoryStore().start } },
    }).createTokenPair('u', { fresh: true })
    Reflect.deleteProperty(globalThis, Symbol.for('tokenwright.memoryStores'))
    expect(await verdicts(open(), pair)).toEqual(REFUSED)
    expect(warn).not.toHaveBeenCalled()
  })

  it('is accepted where the store is shared', async () => {
    const store = memoryStore()
    const pair = await open(store).createTokenPair('u', { fresh: true })
    expect(new Set(await verdicts(open(store), pair))).toEqual(new Set(['accepted']))
    // A store that another one wraps is asked as before.
    const { knows: _, ...wrapped } = store
    expect(new Set(await verdicts(open(wrapped), pair))).toEqual(new Set(['accepted']))
    expect(warn).not.toHaveBeenCalled()
  })

  it('is not asked about where revocation is off, nor a token without a session', async () => {
    const [first, second] = [open(), open(memoryStore(), { revocation: 'off' })]
    const pair = await first.createTokenPair('u')
    expect(await codeOf(() => second.verifyToken(pair.access_token))).toBe('accepted')
    expect(await codeOf(() => open().verifyToken(pair.access_token, { revocation: 'off' }))).toBe('accepted')
    const alone = await first.createAccessToken('u')
    expect(await codeOf(() => open().verifyToken(alone))).toBe('accepted')
    expect(warn).not.toHaveBeenCalled()
  })
})

describe('the module of the memory store', () => {
  // A query makes it another module, as a bundler's second copy is.
  const load = (query: string) =>
    import(/* @vite-ignore */ `../../src/stores/memory/copies.ts?${query}`) as Promise<
      typeof import('../../src/stores/memory/copies.ts')
    >

  it('loaded twice says so as soon as both have made a store', async () => {
    const [first, second] = await Promise.all([load('first'), load('second')])
    expect(first).not.toBe(second)
    first.registerMemoryStore(new Map())
    first.registerMemoryStore(new Map())
    expect(warn).not.toHaveBeenCalled()
    second.registerMemoryStore(new Map())
    second.registerMemoryStore(new Map())
    expect(warn.mock.calls).toEqual(WARNED)
  })

  it('loaded twice finds a session of the other copy', async () => {
    const [first, second] = await Promise.all([load('first'), load('second')])
    const rows = new Map([['sid', {}]])
    first.registerMemoryStore(rows)
    second.warnIfInOtherStore(new Map(), 'unknown')
    expect(warn).not.toHaveBeenCalled()
    second.warnIfInOtherStore(new Map(), 'sid')
    expect(warn.mock.calls).toEqual(WARNED)
  })
})
