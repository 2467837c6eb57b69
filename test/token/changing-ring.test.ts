import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it, vi } from 'vitest'
import {
  type Auth,
  createAuth,
  createKeyRing,
  generateKey,
  type Jwk,
  type LoadedKeys,
} from '../../src/index.ts'

const [A, B, C] = ['a', 'b', 'c'].map((kid) => generateKey('ES256', kid)) as [Jwk, Jwk, Jwk]
const START = 1_900_000_000

/** An application whose keys are loaded, and a clock that the test moves. */
function setUp(first: LoadedKeys | Error, every: 60 | 600 = 60) {
  const clock = { now: START }
  const source = { loads: 0, keys: first }
  const events: string[] = []
  const ring = createKeyRing({
    every,
    load: async () => {
      source.loads++
      if (source.keys instanceof Error) throw source.keys
      return source.keys
    },
    on: {
      keysChanged: ({ signing, verifying }) => events.push(`${signing} of ${verifying.join(', ')}`),
      keysFailed: ({ error, since }) => events.push(`${(error as Error).message} since ${since - START}`),
    },
  })
  const auth = createAuth({ keys: ring, clock: () => clock.now })
  return { clock, source, events, ring, auth }
}

const kidOf = (auth: Auth, token: string): unknown => auth.decodeUnverified(token).header['kid']
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'accepted',
    (error: { code?: string }) => error.code ?? error,
  )

describe('a ring that loads its keys', () => {
  it('calls nothing until its first use, and then once for all who wait', async () => {
    const { source, auth } = setUp({ signing: A })
    expect(source.loads).toBe(0)
    const tokens = await Promise.all(Array.from({ length: 20 }, () => auth.createAccessToken('u')))
    await Promise.all(tokens.map((token) => auth.verifyToken(token)))
    expect(source.loads).toBe(1)
  })

  it('is ready after `ready`, and tells its state', async () => {
    const { auth, ring } = setUp({ signing: A, verifying: [B] })
    expect(ring.changes?.state()).toEqual({ loadedAt: null, failedSince: null, signing: null, verifying: [] })
    await auth.ready()
    expect(ring.changes?.state()).toEqual({
      loadedAt: START,
      failedSince: null,
      signing: 'a',
      verifying: ['a', 'b'],
    })
    expect(auth.jwks().keys.map(({ kid, d }) => [kid, d])).toEqual([
      ['a', undefined],
      ['b', undefined],
    ])
  })

  it('is unavailable before the first good load, and heals', async () => {
    const { clock, source, auth } = setUp(new Error('no network'))
    const other = createAuth({ keys: createKeyRing({ signing: A }), clock: () => clock.now })
    const token = await other.createAccessToken('u')
    expect(await codeOf(auth.ready())).toBe('store_unavailable')
    expect(await codeOf(auth.createAccessToken('u'))).toBe('store_unavailable')
    expect(await codeOf(auth.verifyToken(token))).toBe('store_unavailable')
    expect(() => auth.jwks()).toThrow(expect.objectContaining({ code: 'store_unavailable', status: 503 }))
    expect(source.loads, 'no load for each request').toBe(1)
    source.keys = { signing: A }
    clock.now += 1
    expect((await auth.verifyToken(token)).sub).toBe('u')
  })

  it('loads ahead of need, without making anyone wait', async () => {
    const { clock, source, auth } = setUp({ signing: A })
    await auth.ready()
    let release = (_: LoadedKeys): void => undefined
    source.keys = new Promise<LoadedKeys>((resolve) => {
      release = resolve
    }) as unknown as LoadedKeys
    clock.now += 31
    expect(kidOf(auth, await auth.createAccessToken('u')), 'signed while the load runs').toBe('a')
    expect(source.loads).toBe(2)
    release({ signing: B, verifying: [A] })
    await vi.waitFor(async () => expect(kidOf(auth, await auth.createAccessToken('u'))).toBe('b'))
  })

  it('waits for an overdue load, so that an idle process signs with no old key', async () => {
    const { clock, source, auth } = setUp({ signing: A })
    await auth.ready()
    source.keys = { signing: B, verifying: [A] }
    clock.now += 86_400
    expect(kidOf(auth, await auth.createAccessToken('u'))).toBe('b')
  })

  it('loads at once for a token of a key that another process began to use', async () => {
    const { clock, source, auth } = setUp({ signing: A })
    await auth.ready()
    const other = createAuth({ keys: createKeyRing({ signing: B }), clock: () => clock.now })
    const token = await other.createAccessToken('u')
    source.keys = { signing: B, verifying: [A] }
    clock.now += 6
    expect((await auth.verifyToken(token)).sub).toBe('u')
    expect(source.loads).toBe(2)
  })

  it('loads once for 10,000 tokens of made-up keys', async () => {
    const { clock, source, auth } = setUp({ signing: A }, 600)
    await auth.ready()
    clock.now += 60
    const [, payload = '', signature = ''] = (await auth.createAccessToken('u')).split('.')
    const forge = (i: number): string => {
      const header = JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: `made-up-${i}` })
      return `${Buffer.from(header).toString('base64url')}.${payload}.${signature}`
    }
    const codes = await Promise.all(
      Array.from({ length: 10_000 }, (_, i) => codeOf(auth.verifyToken(forge(i)))),
    )
    expect(new Set(codes)).toEqual(new Set(['signature_invalid']))
    expect(source.loads).toBe(2)
  })

  it.each<[string, LoadedKeys | Error, RegExp]>([
    ['fails', new Error('no network'), /^no network/],
    ['returns no object', 7 as unknown as LoadedKeys, /^Expected `load` to return \{ keys \}/],
    ['returns half a file', '{"keys":[{"kty":"EC","d":"c2VjcmV0', /^Expected the loaded keys to be the JSON/],
    ['returns no keys', { keys: [] }, /^Expected `keys` to hold a key/],
    [
      'returns a weak secret',
      { signing: { alg: 'HS256', key: 'secret' } },
      /^Expected `signing\.key` to be at least/,
    ],
    ['returns two keys with one name', { keys: [A, { ...B, kid: 'a' }] }, /a `kid` of its own/],
    ['returns none that signs', { verifying: [A] }, /one that signs, as those before do/],
    ['returns secrets beside keys', { keys: [A, generateKey('HS256')] }, /not both/],
  ])('keeps the last good keys where it %s, and says so', async (_, keys, message) => {
    const { clock, source, events, ring, auth } = setUp({ signing: A })
    const token = await auth.createAccessToken('u', { expiresIn: '20d' })
    source.keys = keys
    for (const later of [60, 120, 86_400]) {
      clock.now = START + later
      expect((await auth.verifyToken(token)).sub).toBe('u')
      expect(kidOf(auth, await auth.createAccessToken('u'))).toBe('a')
    }
    expect(events[0]).toBe('a of a')
    expect(events[1]).toMatch(message)
    expect(events.at(-1)).toMatch(/ since 60$/)
    expect(events.join()).not.toMatch(/c2VjcmV0/)
    expect(ring.changes?.state().failedSince).toBe(START + 60)
    source.keys = { signing: B, verifying: [A] }
    clock.now += 60
    await auth.verifyToken(token)
    await vi.waitFor(() => expect(events.at(-1)).toBe('b of b, a'))
    expect(ring.changes?.state().failedSince).toBeNull()
  })

  it('makes no one wait for a source that hangs', { timeout: 2000 }, async () => {
    const { clock, source, auth } = setUp({ signing: A })
    const token = await auth.createAccessToken('u', { expiresIn: '20d' })
    source.keys = new Error('down')
    clock.now += 61
    await auth.verifyToken(token)
    source.keys = new Promise(() => undefined) as unknown as LoadedKeys
    clock.now += 61
    expect((await auth.verifyToken(token)).sub).toBe('u')
  })

  it('accepts a cached token of a removed key no longer than `every`', async () => {
    const { clock, source, auth } = setUp({ keys: [A, B] })
    const token = await auth.createAccessToken('u', { expiresIn: '20d' })
    await auth.verifyToken(token)
    source.keys = { keys: [B] }
    clock.now += 59
    expect((await auth.verifyToken(token)).sub, 'still cached').toBe('u')
    clock.now += 2
    expect(await codeOf(auth.verifyToken(token))).toBe('signature_invalid')
  })

  it('goes on loading after its clock was set back', async () => {
    const { clock, source, auth } = setUp({ signing: A })
    await auth.ready()
    source.keys = { signing: B, verifying: [A] }
    clock.now -= 86_400
    await vi.waitFor(async () => expect(kidOf(auth, await auth.createAccessToken('u'))).toBe('b'))
  })

  it('keeps the prepared keys where equal ones are loaded', async () => {
    const { clock, source, events, ring, auth } = setUp({ signing: A, verifying: [B] })
    await auth.ready()
    const { keys, signer } = ring
    source.keys = { signing: { ...A }, verifying: [{ ...B }] }
    clock.now += 61
    await auth.createAccessToken('u')
    expect(source.loads).toBe(2)
    expect(ring.keys).toBe(keys)
    expect(ring.signer).toBe(signer)
    expect(events).toEqual(['a of a, b'])
  })

  it.each<[string, object, RegExp]>([
    ['no source', { load: '' }, /^Expected `load` to be the path of a file, or a function/],
    ['a list of keys', { load: [A] }, /^Expected `load`/],
    ['too short a time', { load: () => ({ signing: A }), every: '0s' }, /^Expected `every`/],
    ['keys beside it', { load: () => ({ signing: A }), signing: A }, /signing/],
    ['a listener that is none', { load: 'x', on: { keysFailed: 1 } }, /on\.keysFailed/],
  ])('refuses %s', (_, options, message) => {
    expect(() => createKeyRing(options as never)).toThrow(message)
  })
})

describe('a key set with a schedule', () => {
  const set = (...keys: object[]): LoadedKeys => ({ keys: keys as Jwk[] })
  const NEXT = { ...B, signsFrom: START + 3600 }

  it('announces a key, then signs with it, then retires the one before, at its times', async () => {
    const { clock, auth, source } = setUp(set({ ...A, signsFrom: START, notAfter: START + 7200 }, NEXT))
    const old = await auth.createAccessToken('u', { expiresIn: '20d' })
    expect(kidOf(auth, old)).toBe('a')
    expect(
      auth.jwks().keys.map(({ kid }) => kid),
      'announced',
    ).toEqual(['a', 'b'])
    source.keys = new Error('the schedule needs no source')
    clock.now = START + 3599
    expect(kidOf(auth, await auth.createAccessToken('u'))).toBe('a')
    clock.now = START + 3600
    expect(kidOf(auth, await auth.createAccessToken('u'))).toBe('b')
    clock.now = START + 7200
    expect((await auth.verifyToken(old)).sub).toBe('u')
    clock.now = START + 7201
    expect(await codeOf(auth.verifyToken(old))).toBe('signature_invalid')
    expect(auth.jwks().keys.map(({ kid }) => kid)).toEqual(['b'])
  })

  it.each<[string, LoadedKeys, string | null]>([
    ['the first of two without a time', set(A, B), 'a'],
    ['the latest that has come', set({ ...A, signsFrom: START - 9 }, { ...B, signsFrom: START - 3 }, C), 'b'],
    ['the one that comes first where none has', set({ ...A, signsFrom: START + 9 }, NEXT), 'a'],
    ['none that has retired', set({ ...A, notAfter: START - 1 }, NEXT), 'b'],
    ['no public key', set({ ...A, d: undefined, signsFrom: START - 9 }, C), 'c'],
    ['a secret', set(generateKey('HS256', 's')), 's'],
    ['of JSON', JSON.stringify(set(C)), 'c'],
  ])('signs with %s', async (_, keys, kid) => {
    const { auth } = setUp(keys)
    expect(kidOf(auth, await auth.createAccessToken('u'))).toBe(kid)
  })
})

describe('a key file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  it('is read again, by path and by URL, and a half-written one changes nothing', async () => {
    const path = join(folder, 'keys.json')
    const clock = { now: START }
    writeFileSync(path, JSON.stringify({ keys: [A] }), { mode: 0o600 })
    for (const load of [path, pathToFileURL(path)]) {
      const failed = vi.fn()
      const keys = createKeyRing({ load, on: { keysFailed: failed } })
      const auth = createAuth({ keys, clock: () => clock.now })
      expect(kidOf(auth, await auth.createAccessToken('u'))).toBe('a')
      const text = JSON.stringify({ keys: [B, A] })
      writeFileSync(path, text.slice(0, 40))
      clock.now += 61
      expect(kidOf(auth, await auth.createAccessToken('u'))).toBe('a')
      expect(failed).toHaveBeenCalledOnce()
      writeFileSync(`${path}.new`, text)
      renameSync(`${path}.new`, path)
      clock.now += 61
      await vi.waitFor(async () => expect(kidOf(auth, await auth.createAccessToken('u'))).toBe('b'))
      writeFileSync(path, JSON.stringify({ keys: [A] }))
    }
  })

  it('warns once of a file that is missing or too large, where no one listens', async () => {
    const large = join(folder, 'large.json')
    writeFileSync(large, ' '.repeat(1_048_577))
    chmodSync(large, 0o600)
    for (const load of [join(folder, 'missing.json'), large]) {
      const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
      const auth = createAuth({ keys: createKeyRing({ load }) })
      expect(await codeOf(auth.ready())).toBe('store_unavailable')
      expect(warnings.mock.calls.map(([, options]) => options)).toEqual([
        { type: 'TokenwrightWarning', code: 'TOKENWRIGHT_KEYS_FAILED' },
      ])
      warnings.mockRestore()
    }
  })

  it('is a file: a pipe keeps no thread waiting, a device is not read, a folder is named', async () => {
    const [pipe, device, directory] = ['pipe', 'device', 'directory'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0)
    symlinkSync('/dev/zero', device)
    mkdirSync(directory)
    const began = performance.now()
    const errors: string[] = []
    try {
      // More than the threads that read files.
      for (const load of [pipe, pipe, pipe, pipe, pipe, device, directory]) {
        const keysFailed = ({ error }: { error: unknown }) => errors.push(String(error))
        const auth = createAuth({ keys: createKeyRing({ load, on: { keysFailed } }) })
        expect(await codeOf(auth.ready())).toBe('store_unavailable')
      }
      await readFile(import.meta.filename)
      expect(performance.now() - began).toBeLessThan(3000)
      expect(errors).toHaveLength(7)
      for (const error of errors)
        expect(error).toContain(
          'Expected the key file to be a regular file, got a folder, a pipe or a device',
        )
    } finally {
      // Lets go of a thread that waits for a writer.
      closeSync(openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK))
    }
  })
})
