/** Secrets that people copy are refused or warned of; what a random generator gives is neither. */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest'
import { createAuth } from '../../src/auth/create-auth.ts'
import { createKeyRing, generateKey } from '../../src/token/key-ring.ts'
import { checkSecret } from '../../src/token/secret.ts'
import { claimsOf, codeOf, complaintOf, forge, SECRET, stoppedClock } from './forge.ts'

let warnings: MockInstance<typeof process.emitWarning>
beforeEach(() => {
  warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
})

/** What becomes of a secret. */
function verdictOn(secret: string | Uint8Array): 'refused' | 'warned' | 'accepted' {
  warnings.mockClear()
  try {
    checkSecret('secret', Buffer.from(secret), 'HS256', 32)
  } catch {
    return 'refused'
  }
  return warnings.mock.calls.length > 0 ? 'warned' : 'accepted'
}

describe('a secret that people copy', () => {
  it.each([
    'change-me-change-me-change-me-change-me',
    'your-256-bit-secret-your-256-bit-secret',
    'a-string-secret-at-least-256-bits-long',
    'this-is-a-very-long-secret-key-for-jwt-tokens',
    'mySuperSecretKeyForJwtTokenGeneration123',
    'MY_APPLICATION_JWT_SECRET_KEY_PRODUCTION',
    'default-secret-please-replace-in-production!',
    'n3v3r-us3-th1s-s3cr3t-1n-pr0duct10n-pl34s3',
    'replace_this_with_a_long_random_string',
    'Lorem ipsum dolor sit amet, consectetur',
    'The quick brown fox jumps over the lazy dog',
    'clave secreta para firmar los tokens de la api',
    '0123456789abcdef0123456789abcdef',
    '12345678901234567890123456789012',
    'abcdefghijklmnopqrstuvwxyz0123456789',
    'qwertyuiopasdfghjklzxcvbnm1234567890',
    '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p',
    'Zq7!Zq7!Zq7!Zq7!Zq7!Zq7!Zq7!Zq7!Zq7!',
    'x8Kd02mQx8Kd02mQx8Kd02mQx8Kd02mQ',
    'aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb',
    Buffer.from('this is my secret key for tokens, change it').toString('base64'),
    Buffer.from('supersecret-password-for-development').toString('hex'),
  ])('is refused: %s', (secret) => {
    expect(verdictOn(secret)).toBe('refused')
  })

  it.each([
    'the mountain station opens late in winter',
    'penguinsliveinthenorthernharborofoslo',
    'Wanderers-Atlantic-Reunion-Somerset',
    'company-name-71-secret-8391-xk-27364',
    randomUUID(),
    '83163408512787575075658056027380',
  ])('is warned of: %s', (secret) => {
    expect(verdictOn(secret)).toBe('warned')
    expect(warnings.mock.calls.flat().map(String).join()).not.toContain(secret.slice(0, 8))
  })
})

describe('a secret with a line break at its end, as of a file', () => {
  const text = SECRET

  it('is refused as text, and warned of as bytes', async () => {
    const given = [`${text}\n`, `${text}\r\n`, ` ${text}`]
    for (const secret of given)
      expect(await complaintOf(() => createAuth({ secret }))).toMatch(/^ConfigurationError: .*trim it/)
    createAuth({ secret: Buffer.from(text) })
    expect(warnings).not.toHaveBeenCalled()
    createAuth({ secret: Buffer.from(`${text}\n`) })
    expect(warnings).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('trim it'),
      expect.objectContaining({ code: 'TOKENWRIGHT_SECRET_LINE_BREAK' }),
    )
    expect(warnings.mock.calls.flat().map(String).join()).not.toContain(text.slice(0, 8))
  })
})

describe('a random secret is accepted without a word', () => {
  // The same bytes in each run: one random secret in some 200,000 spells enough of a word to be warned of.
  let drawn = 0
  const draw = (length: number): Buffer =>
    Buffer.concat(
      Array.from({ length: Math.ceil(length / 64) }, () =>
        createHash('sha512').update(`secret ${drawn++}`).digest(),
      ),
    ).subarray(0, length)
  const drawUuid = (): string =>
    draw(16)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  const digits = (alphabet: string, length: number): string =>
    [...draw(length)].map((byte) => alphabet[byte % alphabet.length]).join('')
  const LETTERS = 'abcdefghijklmnopqrstuvwxyz'
  it.each<readonly [string, () => string | Uint8Array]>([
    ['bytes', () => draw(32)],
    ['hex of 16 bytes', () => draw(16).toString('hex')],
    ['hex', () => draw(32).toString('hex')],
    ['hex in capitals', () => draw(32).toString('hex').toUpperCase()],
    ['long hex', () => draw(256).toString('hex')],
    ['base64 of 24 bytes', () => draw(24).toString('base64')],
    ['base64', () => draw(32).toString('base64')],
    ['base64url', () => draw(48).toString('base64url')],
    ['long base64', () => draw(256).toString('base64')],
    ['two UUIDs', () => drawUuid() + drawUuid()],
    ['two UUIDs with a dash', () => `${drawUuid()}-${drawUuid()}`],
    ['letters and digits', () => digits(`${LETTERS}${LETTERS.toUpperCase()}0123456789`, 40)],
    ['letters', () => digits(LETTERS, 64)],
    [
      'printable characters',
      () => digits(`${LETTERS}${LETTERS.toUpperCase()}0123456789!#$%&()*+-./:;<=>?@[]^_{|}~`, 40),
    ],
  ])('%s', (_, make) => {
    for (let i = 0; i < 1000; i++) {
      const secret = make()
      expect(verdictOn(secret), Buffer.from(secret).toString('latin1')).toBe('accepted')
    }
  })
})

describe('the kid of a secret', () => {
  const ring = createKeyRing({ signing: { alg: 'HS256', key: SECRET } })
  const jwk = { k: Buffer.from(SECRET).toString('base64url'), kty: 'oct' }

  it('is no digest of the secret', () => {
    const kid = ring.signer?.kid ?? ''
    expect(kid).toMatch(/^[\w-]{8}$/)
    for (const text of [SECRET, JSON.stringify(jwk), jwk.k]) {
      for (const hash of ['md5', 'sha1', 'sha256', 'sha384', 'sha512']) {
        const digest = createHash(hash).update(text).digest()
        for (const encoding of ['hex', 'base64url', 'base64'] as const)
          expect(digest.toString(encoding)).not.toContain(kid)
      }
    }
    expect(generateKey('HS256').kid).toMatch(/^[\w-]{8}$/)
  })

  it('differs from secret to secret, and is the same for the same one', () => {
    const kids = Array.from({ length: 50 }, () => generateKey('HS256').kid)
    expect(new Set(kids).size).toBe(50)
    expect(createKeyRing({ verifying: [{ alg: 'HS256', key: SECRET }] }).keys[0]?.kid).toBe(ring.signer?.kid)
  })

  it('accepts the tokens that name the thumbprint, which was the kid before', async () => {
    const thumbprint = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url')
    const token = forge(claimsOf(), { header: { alg: 'HS256', typ: 'at+jwt', kid: thumbprint } })
    const clock = stoppedClock()
    const later = { alg: 'HS256', key: randomBytes(32) } as const
    for (const keys of [
      ring,
      createKeyRing({ signing: { ...jwk, alg: 'HS256', kid: thumbprint } }),
      createKeyRing({ signing: later, verifying: [{ alg: 'HS256', key: SECRET }] }),
    ]) {
      expect(await codeOf(() => createAuth({ keys, clock }).verifyToken(token))).toBe('accepted')
      expect(keys.signer?.kid).not.toBe(thumbprint)
    }
  })
})

describe('a token whose kid no key of the ring has', () => {
  const clock = stoppedClock()
  const token = forge(claimsOf(), { header: { alg: 'HS256', typ: 'at+jwt', kid: 'name-of-the-issuer' } })

  it('is tried with the keys that were given no name', async () => {
    expect(await codeOf(() => createAuth({ secret: SECRET, clock }).verifyToken(token))).toBe('accepted')
  })

  it('and with no key that has a name', async () => {
    const keys = createKeyRing({ signing: { alg: 'HS256', key: SECRET, kid: 'mine' } })
    expect(await codeOf(() => createAuth({ keys, clock }).verifyToken(token))).toBe('signature_invalid')
  })
})

describe('a token that does not name its key', () => {
  it.each(['without kid', 'with an unknown kid'])(
    'costs at most four checks in a ring of any size: %s',
    async (sort) => {
      const verifying = Array.from({ length: 200 }, () => ({ alg: 'HS256', key: randomBytes(32) }) as const)
      const counted = { checks: 0 }
      const ring = createKeyRing({ verifying })
      const keys = {
        ...ring,
        keys: ring.keys.map((key) => ({
          ...key,
          verify: (input: string, signature: string) => {
            counted.checks++
            return key.verify(input, signature)
          },
        })),
      }
      const auth = createAuth({ keys, clock: stoppedClock() })
      const kid = sort === 'without kid' ? {} : { kid: 'unknown' }
      const token = forge(claimsOf(), { header: { alg: 'HS256', typ: 'at+jwt', ...kid } })
      expect(await codeOf(() => auth.verifyToken(token))).toBe('signature_invalid')
      expect(counted.checks).toBe(4)
    },
  )

  it('is accepted from the first four keys that have not retired', async () => {
    const retired = Array.from(
      { length: 10 },
      () => ({ alg: 'HS256', key: randomBytes(32), notAfter: 1 }) as const,
    )
    const others = Array.from({ length: 3 }, () => ({ alg: 'HS256', key: randomBytes(32) }) as const)
    const own = { alg: 'HS256', key: SECRET } as const
    const auth = createAuth({
      keys: createKeyRing({ verifying: [...retired, ...others, own] }),
      clock: stoppedClock(),
    })
    expect(await codeOf(() => auth.verifyToken(forge(claimsOf())))).toBe('accepted')
  })
})
