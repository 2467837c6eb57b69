/** Rotations of a key set, and twenty processes that load it while it is rotated. */
import { describe, expect, it } from 'vitest'
import { type Auth, createAuth, createKeyRing, generateKey, type Jwk } from '../../src/index.ts'
import {
  describeKeySet,
  parseKeySet,
  type RotationPlan,
  rotateKeySet,
  type StoredKeySet,
} from '../../src/token/key-rotation.ts'

const START = 1_900_000_000
const PLAN: RotationPlan = { announce: 600, retire: 3600, force: false }
const [A, B, C] = ['a', 'b', 'c'].map((kid) => generateKey('ES256', kid)) as [Jwk, Jwk, Jwk]

const stepsOf = (set: StoredKeySet, now: number): string[] =>
  describeKeySet(set, now).map(({ kid, step }) => `${kid} ${step}`)

describe('rotateKeySet', () => {
  const first = rotateKeySet(null, A, START, PLAN)
  const second = rotateKeySet(first, B, START + 100, PLAN)

  it('begins with a key that signs at once', () => {
    expect(stepsOf(first, START)).toEqual(['a signing'])
  })

  it.each<[number, string[]]>([
    [100, ['a signing', 'b announced']],
    [699, ['a signing', 'b announced']],
    [700, ['b signing', 'a retiring']],
    [4300, ['b signing', 'a retiring']],
    [4301, ['b signing', 'a retired']],
  ])('takes a key through its steps: after %i s', (later, steps) => {
    expect(stepsOf(second, START + later)).toEqual(steps)
  })

  it('drops what has retired with the next rotation', () => {
    const third = rotateKeySet(second, C, START + 4301, PLAN)
    expect(stepsOf(third, START + 4301)).toEqual(['b signing', 'c announced'])
  })

  it('refuses to begin while a key is announced, unless forced', () => {
    expect(() => rotateKeySet(second, C, START + 200, PLAN)).toThrow(
      /^The key b is announced and signs from 2030-/,
    )
    const forced = rotateKeySet(second, C, START + 200, { ...PLAN, announce: 0, force: true })
    expect(stepsOf(forced, START + 200)).toEqual(['c signing', 'a retiring'])
    expect(stepsOf(forced, START + 1000), 'the key that was given up').toEqual(['c signing', 'a retiring'])
  })

  it('prolongs no key that is to retire', () => {
    const third = rotateKeySet(second, C, START + 800, PLAN)
    const ends = third.keys.map(({ kid, notAfter }) => [kid, notAfter])
    expect(ends).toEqual([
      ['c', undefined],
      ['b', START + 800 + 600 + 3600],
      ['a', START + 700 + 3600],
    ])
  })

  it('moves from a secret to key pairs, and back', () => {
    const secret = rotateKeySet(null, generateKey('HS256', 's'), START, PLAN)
    expect(rotateKeySet(secret, A, START, PLAN).mixed).toBe(true)
    expect(rotateKeySet(first, B, START, PLAN).mixed).toBeUndefined()
  })
})

describe('parseKeySet', () => {
  it.each([
    '',
    '{',
    '[]',
    '{"keys":{}}',
    '{"keys":[]}',
    '{"keys":[{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}]}',
  ])('refuses %j, and quotes nothing of it', (text) => {
    expect(() => parseKeySet(text, START)).toThrow(/^Expected/)
    expect(() => parseKeySet(text, START)).not.toThrow(/c2VjcmV0/)
  })
})

/** How long a changed file takes at most to reach a process, in seconds, as for mounted secrets. */
const PROPAGATION = 90

/** How long refresh tokens live, in seconds. */
const LIFE = 2000

/** Processes with clocks that differ, each of which sees a changed key set later than it is made. */
class Fleet {
  now = START
  readonly #versions: { readonly at: number; readonly set: StoredKeySet }[]
  readonly auths: readonly Auth[]

  constructor(size: number, set: StoredKeySet) {
    this.#versions = [{ at: Number.NEGATIVE_INFINITY, set }]
    this.auths = Array.from({ length: size }, (_, i) => {
      const delay = (PROPAGATION * i) / (size - 1)
      const skew = 4 * (i / (size - 1)) - 2
      const load = (): StoredKeySet =>
        this.#versions.findLast(({ at }) => at + delay <= this.now)?.set as StoredKeySet
      const keys = createKeyRing({ load, every: '1m' })
      return createAuth({ keys, clock: () => this.now + skew, refresh: { expiresIn: LIFE } })
    })
  }

  publish(set: StoredKeySet): void {
    this.#versions.push({ at: this.now, set })
  }
}

/** Runs a rotation under load: returns how many tokens were refused, and which keys signed. */
async function rotateUnderLoad(plan: RotationPlan) {
  // Secrets, as their signatures cost least.
  const [old, next] = ['old', 'next'].map((kid) => generateKey('HS256', kid)) as [Jwk, Jwk]
  const set = rotateKeySet(null, old, START - 100, plan)
  const fleet = new Fleet(20, set)
  const live: { readonly text: string; readonly until: number }[] = []
  const kids = new Set<unknown>()
  let refused = 0
  let checks = 0
  const check = async (auth: Auth, text: string): Promise<void> => {
    checks++
    await auth.verifyToken(text, { type: 'refresh' }).catch(() => refused++)
  }
  for (let tick = 0; tick < 100; tick++, fleet.now += 40) {
    if (tick === 10) fleet.publish(rotateKeySet(set, next, fleet.now, plan))
    const { auths } = fleet
    const issuer = auths[(tick * 7) % auths.length] as Auth
    const text = await issuer.createRefreshToken('u')
    kids.add(issuer.decodeUnverified(text).header['kid'])
    live.push({ text, until: fleet.now + LIFE - 10 })
    // The newest token everywhere, and an older one at each process.
    for (const [i, auth] of auths.entries()) {
      await check(auth, text)
      const older = live[(tick * 31 + i * 13) % live.length]
      if (older !== undefined && older.until > fleet.now) await check(auth, older.text)
    }
  }
  return { refused, checks, kids: [...kids] }
}

describe('a rotation while 20 processes run', () => {
  it('refuses no token, while the file reaches each process at another time', async () => {
    const { refused, checks, kids } = await rotateUnderLoad({
      announce: 600,
      retire: LIFE + 60,
      force: false,
    })
    expect(kids).toEqual(['old', 'next'])
    expect(checks).toBeGreaterThan(3000)
    expect(refused).toBe(0)
  })

  it.each<[string, RotationPlan]>([
    ['is not announced', { announce: 0, retire: LIFE + 60, force: true }],
    ['retires the old one early', { announce: 600, retire: 60, force: false }],
  ])('refuses tokens where a key %s, so the test above can fail', async (_, plan) => {
    expect((await rotateUnderLoad(plan)).refused).toBeGreaterThan(0)
  })
})
