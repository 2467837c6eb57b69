import { createHmac, createPrivateKey, sign as signBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isAuthError } from '../../src/errors.ts'
import { fromBase64Url } from '../../src/internal/bytes.ts'
import { prepareVerifyJws, readUnverified } from '../../src/token/jws.ts'
import { createKeyRing } from '../../src/token/key-ring.ts'
import { claimsOf, codeOf, encode, errorOf, forge, NOW, SECRET, setUp } from './forge.ts'
import { EVERY_KEY, keyOf } from './pairs.ts'
import { prepareSignNow } from './sign-now.ts'

const LIMITS = { tokenLength: 8192 }
const ring = createKeyRing({ signing: { alg: 'HS256', key: SECRET, kid: 'k' } })
const verify = prepareVerifyJws(ring, LIMITS, fromBase64Url)
const sign = prepareSignNow(ring, { typ: 'at+jwt' })

/** Whether a token is refused with one of the two codes that this layer knows. */
function isRefused(check: (token: string, now: number) => unknown, token: string): boolean {
  try {
    check(token, NOW)
    return false
  } catch (error) {
    if (isAuthError(error) && (error.code === 'token_malformed' || error.code === 'signature_invalid'))
      return true
    throw error
  }
}

describe('mutation closure', () => {
  it('every byte at every position of a short token: all 255 others are refused', () => {
    const token = sign('{"sub":"x"}')
    expect(isRefused(verify, token)).toBe(false)
    const accepted: string[] = []
    for (let i = 0; i < token.length; i++) {
      for (let byte = 0; byte < 256; byte++) {
        if (byte === token.charCodeAt(i)) continue
        const mutant = token.slice(0, i) + String.fromCharCode(byte) + token.slice(i + 1)
        if (!isRefused(verify, mutant)) accepted.push(`${byte} at ${i}`)
      }
    }
    expect(accepted).toEqual([])
  })

  it('a character above U+00FF with the same low byte is refused at every position', () => {
    const token = sign('{"sub":"x"}')
    for (let i = 0; i < token.length; i++) {
      for (const high of [0x100, 0x2000, 0xff00]) {
        const mutant =
          token.slice(0, i) + String.fromCharCode(token.charCodeAt(i) + high) + token.slice(i + 1)
        expect(isRefused(verify, mutant), `position ${i}`).toBe(true)
      }
    }
  })

  it('a character more or less is refused at every position', () => {
    const token = sign('{"sub":"x"}')
    for (let i = 0; i <= token.length; i++) {
      expect(isRefused(verify, token.slice(0, i) + token.slice(i + 1)) || i === token.length).toBe(true)
      for (const extra of ['A', '.', '=', ' ', '\n', '\0', '%', '\u200b']) {
        expect(isRefused(verify, token.slice(0, i) + extra + token.slice(i)), `${extra} at ${i}`).toBe(true)
      }
    }
  })

  it.each(EVERY_KEY.map(({ name, jwk }) => [name, jwk] as const))(
    '%s: a random sample of bytes',
    (_, jwk) => {
      const own = createKeyRing({ signing: jwk })
      const check = prepareVerifyJws(own, LIMITS, fromBase64Url)
      const token = prepareSignNow(own, { typ: 'at+jwt' })(JSON.stringify(claimsOf()))
      expect(isRefused(check, token)).toBe(false)
      fc.assert(
        fc.property(fc.nat({ max: token.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
          fc.pre(byte !== token.charCodeAt(at))
          return isRefused(check, token.slice(0, at) + String.fromCharCode(byte) + token.slice(at + 1))
        }),
        { numRuns: 200 },
      )
    },
  )
})

describe('the spelling of a signature', () => {
  it.each(EVERY_KEY.map(({ name, jwk }) => [name, jwk] as const))('%s: there is one', (_, jwk) => {
    const own = createKeyRing({ signing: jwk })
    const check = prepareVerifyJws(own, LIMITS, fromBase64Url)
    const token = prepareSignNow(own, { typ: 'at+jwt' })('{"sub":"x"}')
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = [...alphabet].map((character) => token.slice(0, -1) + character)
    const padded = ['=', '==', ' ', '\n', '.', 'A'].map((extra) => token + extra)
    const classic = token.replace(/[-_]/g, (c) => (c === '-' ? '+' : '/'))
    const spellings = [...last, ...padded, classic].filter((spelling) => spelling !== token)
    expect(spellings.filter((spelling) => !isRefused(check, spelling))).toEqual([])
  })
})

describe('any text whatsoever', () => {
  const { auth } = setUp({ interop: true })
  const token = forge(claimsOf())
  const part = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(...token.split('.'), '', 'e30', 'AA', 'A', '=', 'eyJhbGciOiJub25lIn0'),
    fc.json().map(encode),
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(part, { maxLength: 5 }).map((parts) => parts.join('.')),
  )

  it('ends in claims or in one AuthError that holds nothing of the text', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (candidate) => {
        const error = await errorOf(() => auth.verifyToken(candidate))
        if (error === undefined) return candidate === token
        expect(isAuthError(error), String(error)).toBe(true)
        const { message, cause } = error as Error
        return candidate.length < 12 || !`${message} ${cause}`.includes(candidate)
      }),
      { numRuns: 1500 },
    )
  })

  it('is read unverified, or token_malformed', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (candidate) =>
        ['accepted', 'token_malformed'].includes(await codeOf(() => auth.decodeUnverified(candidate))),
      ),
      { numRuns: 500 },
    )
  })

  it('of JSON signed by us ends in claims or an AuthError', async () => {
    const claims = fc.dictionary(
      fc.constantFrom(
        'sub',
        'exp',
        'iat',
        'nbf',
        'iss',
        'aud',
        'type',
        'fresh',
        'csrf',
        'scopes',
        'amr',
        'x',
        'gen',
      ),
      fc.jsonValue({ maxDepth: 3 }),
    )
    await fc.assert(
      fc.asyncProperty(claims, fc.boolean(), async (changes, sound) => {
        const error = await errorOf(() => auth.verifyToken(forge(sound ? claimsOf(changes) : changes)))
        return error === undefined || isAuthError(error)
      }),
      { numRuns: 800 },
    )
  })
})

/** A header, as raw JSON, signed properly with our secret. */
const signedUnder = (header: string): string => forge('{}', { header })

describe('the header', () => {
  const members = (count: number): string =>
    `{"alg":"HS256",${Array.from({ length: count - 1 }, (_, i) => `"m${i}":1`).join(',')}}`

  it.each<[string, string, string]>([
    ['alg none', '{"alg":"none"}', 'Invalid Token'],
    ['alg none in another case', '{"alg":"nOnE"}', 'Invalid Token'],
    ['no alg', '{"typ":"at+jwt"}', 'Invalid Token'],
    ['alg in lower case', '{"alg":"hs256"}', 'Invalid Token'],
    ['alg with a blank', '{"alg":"HS256 "}', 'Invalid Token'],
    ['alg as a number', '{"alg":256}', 'Invalid Token'],
    ['alg as a list', '{"alg":["HS256"]}', 'Invalid Token'],
    ['alg null', '{"alg":null}', 'Invalid Token'],
    ['alg of a prototype', '{"alg":"constructor"}', 'Invalid Token'],
    ['another HMAC than the key is for', '{"alg":"HS512"}', 'Signature verification failed'],
    ['an algorithm of public keys', '{"alg":"RS256"}', 'Signature verification failed'],
    ['an algorithm of encryption', '{"alg":"dir","enc":"A256GCM"}', 'Invalid Token'],
    ['alg twice', '{"alg":"none","alg":"HS256"}', 'Invalid Token'],
    ['alg twice, once escaped', '{"alg":"none","\\u0061lg":"HS256"}', 'Invalid Token'],
    ['kid twice', '{"alg":"HS256","kid":"k","kid":"k"}', 'Invalid Token'],
    ['an unknown kid', '{"alg":"HS256","kid":"other"}', 'Signature verification failed'],
    ['kid as a number', '{"alg":"HS256","kid":1}', 'Invalid Token'],
    ['kid as a path', '{"alg":"HS256","kid":"../../dev/null"}', 'Signature verification failed'],
    ['kid of a prototype', '{"alg":"HS256","kid":"__proto__"}', 'Signature verification failed'],
    ['a kid of 129 characters', `{"alg":"HS256","kid":"${'k'.repeat(129)}"}`, 'Invalid Token'],
    ['crit', '{"alg":"HS256","crit":["exp"]}', 'Invalid Token'],
    ['an empty crit', '{"alg":"HS256","crit":[]}', 'Invalid Token'],
    ['crit that is null', '{"alg":"HS256","crit":null}', 'Invalid Token'],
    ['b64 false', '{"alg":"HS256","b64":false}', 'Invalid Token'],
    ['zip', '{"alg":"HS256","zip":"DEF"}', 'Invalid Token'],
    ['jku', '{"alg":"HS256","jku":"https://evil.example/jwks"}', 'Invalid Token'],
    ['jwk', '{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}', 'Invalid Token'],
    ['x5u', '{"alg":"HS256","x5u":"https://evil.example"}', 'Invalid Token'],
    ['x5c', '{"alg":"HS256","x5c":["AA"]}', 'Invalid Token'],
    ['p2c', '{"alg":"HS256","p2c":1000000}', 'Invalid Token'],
    ['a nested member', '{"alg":"HS256","x":{"y":1}}', 'Invalid Token'],
    ['a list as a member', '{"alg":"HS256","x":[]}', 'Invalid Token'],
    ['17 members', members(17), 'Invalid Token'],
    ['more than 1024 characters', `{"alg":"HS256","x":"${'y'.repeat(750)}"}`, 'Invalid Token'],
    ['a list', '["HS256"]', 'Invalid Token'],
    ['a string', '"HS256"', 'Invalid Token'],
    ['null', 'null', 'Invalid Token'],
    ['nothing', '', 'Invalid Token'],
    ['a byte order mark', '\ufeff{"alg":"HS256"}', 'Invalid Token'],
    ['typ as a number', '{"alg":"HS256","typ":1}', 'Invalid Token'],
    ['typ null', '{"alg":"HS256","typ":null}', 'Invalid Token'],
  ])('with %s is refused', (_, header, message) => {
    expect(() => verify(signedUnder(header), NOW)).toThrow(message)
  })

  it.each([
    ['members in another order', '{"typ":"at+jwt","kid":"k","alg":"HS256"}'],
    ['white space', '{ "alg" : "HS256" , "typ" : "at+jwt" }'],
    ['no kid', '{"alg":"HS256"}'],
    ['16 members', members(16)],
    ['colons, braces and escaped quotes in a value', '{"alg":"HS256","x":"a:{\\"b\\":[1]}\\\\"}'],
    ['a value of null', '{"alg":"HS256","x":null}'],
  ])('with %s is accepted', (_, header) => {
    expect(verify(signedUnder(header), NOW).key.kid).toBe('k')
  })

  it('that is not UTF-8 is refused', () => {
    const bytes = Buffer.concat([
      Buffer.from('{"alg":"HS256","x":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}'),
    ])
    const input = `${bytes.toString('base64url')}.e30`
    expect(() => verify(`${input}.${ring.signer!.sign(input)}`, NOW)).toThrow('Invalid Token')
  })

  it('is remembered only once a signature held under it', () => {
    const own = prepareVerifyJws(ring, LIMITS, fromBase64Url)
    const [header, payload] = sign('{}').split('.')
    for (let i = 0; i < 3; i++) expect(() => own(`${header}.${payload}.AAAA`, NOW)).toThrow('Signature')
    expect(() => own(sign('{}'), NOW)).not.toThrow()
    // Now that it is known by its text, a wrong signature is still wrong.
    expect(() => own(`${header}.${payload}.AAAA`, NOW)).toThrow('Signature verification failed')
  })

  it('is remembered for 64 of its spellings at most, and those beyond verify all the same', () => {
    const own = prepareVerifyJws(ring, LIMITS, fromBase64Url)
    for (let i = 0; i < 200; i++) expect(own(signedUnder(`{"alg":"HS256","n":${i}}`), NOW).key.kid).toBe('k')
  })
})

describe('the form', () => {
  it.each<[string, string]>([
    ['an empty text', ''],
    ['one dot', '.'],
    ['two dots', '..'],
    ['two parts', `${encode('{"alg":"HS256"}')}.e30`],
    ['four parts', `${sign('{}')}.`],
    ['five parts (JWE)', 'a.b.c.d.e'],
    ['an empty header', '.e30.AAAA'],
    ['a leading blank', ` ${sign('{}')}`],
    ['a trailing line feed', `${sign('{}')}\n`],
    ['a scheme before it', `Bearer ${sign('{}')}`],
  ])('with %s is token_malformed', (_, token) => {
    expect(isRefused(verify, token)).toBe(true)
    expect(() => verify(token, NOW)).toThrow(/Invalid Token|Signature verification failed/)
  })

  it('of a signature with bits that say nothing (non-canonical base64url) is refused', () => {
    const token = sign('{"sub":"x"}')
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = alphabet.indexOf(token.at(-1)!)
    const variants = [1, 2, 3].map((bits) => token.slice(0, -1) + alphabet[(last & ~3) | ((last + bits) & 3)])
    for (const variant of variants) {
      const bytes = (text: string): string => Buffer.from(text.split('.')[2]!, 'base64url').toString('hex')
      expect(bytes(variant)).toBe(bytes(token))
      expect(() => verify(variant, NOW)).toThrow('Signature verification failed')
    }
  })

  it('of the payload is checked after its signature: the length limit comes before everything else', () => {
    const token = sign('x'.repeat(7000))
    expect(token.length).toBeGreaterThan(8192)
    expect(() => verify(token, NOW)).toThrow('Invalid Token')
    expect(
      prepareVerifyJws(ring, { tokenLength: token.length }, fromBase64Url)(token, NOW).payload.length,
    ).toBe(7000)
    expect(() =>
      prepareVerifyJws(ring, { tokenLength: token.length - 1 }, fromBase64Url)(token, NOW),
    ).toThrow('Invalid Token')
  })

  it('of a payload that is not canonical base64url is refused although its signature holds', () => {
    for (const payload of ['e30=', 'e31', 'e3 0', 'e3\n0', 'e', '{}']) {
      const input = `${encode('{"alg":"HS256"}')}.${payload}`
      expect(() => verify(`${input}.${ring.signer!.sign(input)}`, NOW), payload).toThrow('Invalid Token')
    }
  })

  it('of an ECDSA signature in DER, or of zeros, is refused', () => {
    const jwk = keyOf('ES256')
    const own = createKeyRing({ signing: jwk })
    const check = prepareVerifyJws(own, LIMITS, fromBase64Url)
    const input = prepareSignNow(own, {})('{}').split('.').slice(0, 2).join('.')
    const der = signBytes('sha256', Buffer.from(input), createPrivateKey({ key: jwk, format: 'jwk' }))
    const forged = [
      der,
      Buffer.alloc(64),
      Buffer.alloc(0),
      Buffer.alloc(64, 0xff),
      Buffer.alloc(63),
      Buffer.alloc(65),
    ]
    for (const bytes of forged) {
      expect(() => check(`${input}.${bytes.toString('base64url')}`, NOW)).toThrow(
        'Signature verification failed',
      )
    }
  })

  it('keeps JSON.parse from the payload of a token whose signature is wrong', async () => {
    const { auth } = setUp()
    const [header, payload] = forge(claimsOf()).split('.')
    const parse = JSON.parse
    const seen: string[] = []
    JSON.parse = (text: string, ...rest: []) => {
      seen.push(text)
      return parse(text, ...rest)
    }
    try {
      expect(await codeOf(() => auth.verifyToken(`${header}.${payload}.${'A'.repeat(43)}`))).toBe(
        'signature_invalid',
      )
    } finally {
      JSON.parse = parse
    }
    expect(seen).toEqual(['{"alg":"HS256","typ":"at+jwt"}'])
  })
})

describe('readUnverified', () => {
  it('reads any token, and returns undefined for what is not one', () => {
    const token = forge({ sub: 'x' }, { secret: 'Yb3gR8nLw6XcK1vTz9QmD4hPs7JfU2eAo5GiW0tEk3Vn' })
    expect(readUnverified(token)).toEqual({ header: { alg: 'HS256', typ: 'at+jwt' }, payload: { sub: 'x' } })
    for (const text of [
      '',
      'a.b',
      'a.b.c.d',
      'e30.e30',
      `e30.${encode('[]')}.`,
      `e30.${encode('null')}.`,
      'e30.e30=.',
    ]) {
      expect(readUnverified(text), text).toBeUndefined()
    }
    for (const value of [undefined, null, 5, {}, ['e30.e30.']])
      expect(readUnverified(value as never)).toBeUndefined()
    expect(readUnverified(`e30.${encode(`{"x":"${'y'.repeat(60_000)}"}`)}.`)).toBeUndefined()
  })
})

describe('remembered headers', () => {
  it('are bounded, however many spellings of a header the holder of a key signs', () => {
    const check = prepareVerifyJws(ring, LIMITS, fromBase64Url)
    const tokens = Array.from({ length: 200 }, (_, spelling) => {
      const header = encode(JSON.stringify({ alg: 'HS256', kid: 'k', typ: 'at+jwt', spelling }))
      const input = `${header}.${encode('{}')}`
      return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`
    })
    const first = tokens.map((token) => check(token, NOW).header)
    // A remembered header is the same object; another one is read again.
    const again = tokens.map((token) => check(token, NOW).header)
    const remembered = again.filter((header, index) => header === first[index]).length
    expect(remembered).toBeGreaterThan(1)
    expect(remembered).toBeLessThanOrEqual(65)
  })
})
