/** `rotateKeys`: the next set as text, for sets that lie in any store. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ConfigurationError, createAuth, createKeyRing, rotateKeys } from '../../src/index.ts'
import { parseKeySet } from '../../src/token/key-rotation.ts'

const START = 1_700_000_000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START * 1000 })
})
afterEach(() => {
  vi.useRealTimers()
})

function move(seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * 1000)
}

const keysOf = (text: string) => parseKeySet(text, Date.now() / 1000).keys

describe('rotateKeys', () => {
  it('makes a set whose key signs at once, of the wanted algorithm', () => {
    expect(keysOf(rotateKeys(null))).toMatchObject([{ alg: 'ES256', signsFrom: START }])
    expect(keysOf(rotateKeys(null, { alg: 'EdDSA' }))).toMatchObject([{ alg: 'EdDSA', kty: 'OKP' }])
  })

  it('announces a key of the same algorithm, and retires those before it', () => {
    const first = rotateKeys(null, { alg: 'EdDSA' })
    move(100)
    const second = keysOf(rotateKeys(first, { announce: '2h', retire: '3d' }))
    const signsFrom = START + 100 + 7200
    expect(second).toMatchObject([
      { alg: 'EdDSA', signsFrom },
      { kid: keysOf(first)[0]?.kid, notAfter: signsFrom + 3 * 86_400 },
    ])
  })

  it('takes a ring through all steps', async () => {
    let text = rotateKeys(null)
    const auth = createAuth({ keys: createKeyRing({ load: () => text, every: '1s' }) })
    const kids = async (): Promise<readonly unknown[]> => {
      const { header } = auth.decodeUnverified(await auth.createAccessToken('alice'))
      return [header['kid'], auth.jwks().keys.length]
    }
    const old = keysOf(text)[0]?.kid
    expect(await kids()).toEqual([old, 1])
    text = rotateKeys(text, { announce: '10s', retire: '20s' })
    const next = keysOf(text)[0]?.kid
    move(2)
    expect(await kids()).toEqual([old, 2])
    move(10)
    expect(await kids()).toEqual([next, 2])
    move(20)
    expect(await kids()).toEqual([next, 1])
  })

  it('refuses a second rotation before the first one is over, but for a stolen key', () => {
    const first = rotateKeys(null)
    const second = rotateKeys(first)
    expect(() => rotateKeys(second)).toThrow(/is announced and signs from/)
    const forced = keysOf(rotateKeys(second, { force: true }))
    expect(forced).toMatchObject([{ signsFrom: START }, { kid: keysOf(first)[0]?.kid }])
  })

  it('with `olderThan` changes nothing before its time', () => {
    const options = { olderThan: '30d', announce: '1h' } as const
    const first = rotateKeys(null, options)
    move(30 * 86_400 - 1)
    expect(rotateKeys(first, options)).toBe(first)
    move(1)
    const second = rotateKeys(first, options)
    expect(second).not.toBe(first)
    // The key is announced, and then signs for a while.
    expect(rotateKeys(second, options)).toBe(second)
    move(3600 + 30 * 86_400 - 1)
    expect(rotateKeys(second, options)).toBe(second)
    move(1)
    expect(rotateKeys(second, options)).not.toBe(second)
    expect(rotateKeys(second, { ...options, force: true })).not.toBe(second)
  })

  it('rotates a set without times, such as one that was written by hand', () => {
    const [{ signsFrom: _, ...key } = {}] = keysOf(rotateKeys(null))
    expect(keysOf(rotateKeys(JSON.stringify({ keys: [key] }), { olderThan: '30d' }))).toHaveLength(2)
  })

  it.each<[string, unknown, unknown]>([
    ['no JSON', 'keys', {}],
    ['no set', '[]', {}],
    ['an empty set', '{"keys":[]}', {}],
    ['no text', { keys: [] }, {}],
    ['undefined', undefined, {}],
    ['an unknown option', null, { after: '1h' }],
    ['a length without a unit', null, { announce: '1' }],
    ['no time to announce', null, { announce: 0 }],
    ['another algorithm', null, { alg: 'none' }],
    ['a flag of another type', null, { force: 'yes' }],
    ['no options', null, '1h'],
  ])('refuses %s', (_, text, options) => {
    expect(() => rotateKeys(text as string, options as object)).toThrow(ConfigurationError)
  })

  it('quotes nothing of the keys in an error', () => {
    const { d = '' } = JSON.parse(rotateKeys(null)).keys[0]
    for (const text of [`{"keys":[{"d":"${d}"}]}`, `"${d}"`, `{"keys":"${d}"}`])
      expect(() => rotateKeys(text)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining(d) }),
      )
  })
})
