/**
 * Against jose: whatever we accept, jose accepts with the same claims; and what jose accepts and we refuse is refused for a reason
 * of the list below. Each reason is a predicate over the token, written from the RFCs and the contract and not from our code.
 */
import fc from 'fast-check'
import { type JWTPayload, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { createAuth } from '../../src/auth/create-auth.ts'
import { createKeyRing } from '../../src/token/key-ring.ts'
import { claimsOf, encode, forge, NOW, SECRET, stoppedClock } from './forge.ts'

const KID = 'the-key'
const auth = createAuth({
  keys: createKeyRing({ signing: { alg: 'HS256', key: SECRET, kid: KID } }),
  issuer: 'https://us',
  audience: ['api', 'web'],
  clock: stoppedClock(),
})
const JOSE_KEY = new TextEncoder().encode(SECRET)
const JOSE_OPTIONS = {
  algorithms: ['HS256'],
  issuer: 'https://us',
  audience: ['api', 'web'],
  clockTolerance: 5,
  currentDate: new Date(NOW * 1000),
}

/** A token taken apart as loosely as jose does it. */
interface Parts {
  readonly token: string
  readonly headerText: string
  readonly header: Record<string, unknown>
  readonly payload: Record<string, unknown>
}
type Reason = (parts: Parts) => boolean

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '' && value.isWellFormed()
const isDate = (value: unknown): boolean => typeof value === 'number' && Math.abs(value) <= 8.64e12
const isList = (value: unknown, of: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(of)
const absentOr = (value: unknown, test: (value: unknown) => boolean): boolean =>
  value === undefined || test(value)
const objectsIn = (value: unknown): object[] =>
  typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(objectsIn)] : []
const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

/** Why we refuse what jose accepts. */
const REASONS: Readonly<Record<string, Reason>> = {
  // RFC 7515 section 2: base64url has one spelling. jose skips white space and ignores unused bits.
  'a part is not canonical base64url': ({ token }) =>
    token.split('.').some((part) => Buffer.from(part, 'base64url').toString('base64url') !== part),
  // Bounds against denial of service: the default `limits`.
  'the token is longer than 8192 characters': ({ token }) => token.length > 8192,
  'the header is longer than 1024 characters or has more than 16 members': ({ token, header }) =>
    token.indexOf('.') > 1024 || Object.keys(header).length > 16,
  'the payload has more than 256 members or 16 levels': ({ payload }) =>
    depthOf(payload) > 16 || objectsIn(payload).reduce((sum, o) => sum + Object.keys(o).length, 0) > 256,
  // RFC 7515 section 4: names must be unique, or the parser may refuse. Two parsers must not disagree about a header.
  'a header member stands twice, or is an object or a list': ({ header, headerText }) =>
    objectsIn(header).length > 1 || JSON.stringify(header).length < headerText.replaceAll(/\s/g, '').length,
  // We carry out none of these (RFC 8725 section 3.10: do not trust received keys).
  'the header has a member that changes what the signature means or where the key comes from': ({ header }) =>
    ['crit', 'b64', 'zip', 'enc', 'epk', 'apu', 'apv', 'p2s', 'p2c', 'jwk', 'jku', 'x5u', 'x5c'].some(
      (name) => Object.hasOwn(header, name),
    ),
  // The key is bound to its name (KEY-08); jose was handed the key itself.
  'the header names another key': ({ header }) => Object.hasOwn(header, 'kid') && header['kid'] !== KID,
  // RFC 8725 section 3.11: explicit typing; `typ` and the claim `type` say the same.
  'typ is not that of the type': ({ header, payload }) => {
    const typ = String(header['typ'])
      .toLowerCase()
      .replace(/^application\//, '')
    return typ !== (payload['type'] === 'refresh' ? 'rt+jwt' : 'at+jwt') || typeof header['typ'] !== 'string'
  },
  // The claims that every token of ours has (RFC 9068 section 2.2), and the shape of each.
  'a claim is missing or of another shape': ({ payload: p }) =>
    !isText(p['sub']) ||
    !isText(p['jti']) ||
    !isDate(p['iat']) ||
    !isDate(p['exp']) ||
    !['access', 'refresh'].includes(p['type'] as string) ||
    !absentOr(p['nbf'], isDate) ||
    !absentOr(p['auth_time'], isDate) ||
    !absentOr(p['csrf'], (v) => typeof v === 'string') ||
    !absentOr(p['scopes'], (v) => isList(v, (s) => typeof s === 'string' && /^[!#-[\]-~]{1,256}$/.test(s))) ||
    !absentOr(p['amr'], (v) => isList(v, isText)) ||
    !['sid', 'acr', 'login_type'].every((name) => absentOr(p[name], isText)) ||
    !absentOr(p['gen'], Number.isSafeInteger) ||
    (Array.isArray(p['aud']) && !p['aud'].every(isText)),
  // Made on a clock that is ahead of ours by more than the leeway: jose ignores `iat` unless asked for an age.
  'iat or auth_time lies in the future': ({ payload: p }) =>
    [p['iat'], p['auth_time']].some((time) => typeof time === 'number' && time > NOW + 5),
  'the life is longer than limits.lifetime': ({ payload: p }) =>
    (p['exp'] as number) - (p['iat'] as number) > 400 * 86_400,
  // The next copy of the object would turn it into a prototype (JSN-04).
  'a member is called __proto__': ({ payload }) =>
    objectsIn(payload).some((o) => Object.hasOwn(o, '__proto__')),
  'it belongs to a realm': ({ payload }) => payload['login_type'] !== undefined,
  // RFC 7519 allows a byte order mark nowhere; TextDecoder drops it.
  'the JSON begins with a byte order mark': ({ token }) =>
    token
      .split('.')
      .slice(0, 2)
      .some((part) => part.startsWith('77u_')),
}

/** The claims on the wire behind a payload of ours. */
function toWire({ data, ...registered }: Awaited<ReturnType<typeof auth.verifyToken>>): JWTPayload {
  return JSON.parse(JSON.stringify({ ...registered, ...data }))
}

/** What both say of a token: the claims, or undefined for a refusal. */
async function ask(token: string): Promise<{ ours?: JWTPayload; theirs?: JWTPayload; header?: object }> {
  const ours = await auth.verifyToken(token, { type: 'any' }).then(toWire, () => undefined)
  const theirs = await jwtVerify(token, JOSE_KEY, JOSE_OPTIONS).catch(() => undefined)
  return {
    ...(ours && { ours }),
    ...(theirs && { theirs: theirs.payload, header: theirs.protectedHeader }),
  }
}

/** The reasons that hold for a token that jose accepts. */
function reasonsFor(token: string, header: object, payload: object): string[] {
  const headerText = Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8')
  const parts = { token, headerText, header, payload } as unknown as Parts
  return Object.keys(REASONS).filter((name) => REASONS[name]!(parts))
}

const SOUND_CLAIMS = { ...claimsOf({ jti: 'j' }), iss: 'https://us', aud: 'api' }
const SOUND_HEADER = { alg: 'HS256', typ: 'at+jwt', kid: KID }

/** Compares both verdicts on one token. */
async function compare(token: string): Promise<'both' | 'neither' | string[]> {
  const { ours, theirs, header } = await ask(token)
  if (ours !== undefined) {
    expect(theirs, `we accept what jose refuses: ${token}`).toBeDefined()
    // What a token does not say is false or empty with us; an empty `csrf` is none.
    const { fresh, scopes, ...rest } = ours
    const { fresh: theirFresh, scopes: theirScopes, csrf, gen: _, ...theirRest } = theirs!
    expect(rest).toEqual(csrf === undefined || csrf === '' ? theirRest : { ...theirRest, csrf })
    expect(fresh).toEqual(typeof theirFresh === 'number' ? theirFresh : theirFresh === true)
    expect(scopes).toEqual(theirScopes ?? [])
    return 'both'
  }
  if (theirs === undefined) return 'neither'
  const reasons = reasonsFor(token, header!, theirs)
  expect(reasons, `we refuse what jose accepts, and the list does not say why: ${token}`).not.toEqual([])
  return reasons
}

const value = fc.constantFrom<unknown>(
  undefined,
  null,
  0,
  1,
  -1,
  1.5,
  NOW,
  NOW + 4,
  NOW + 5,
  NOW + 6,
  NOW - 5,
  NOW - 4,
  NOW + 1e9,
  1e300,
  -1e300,
  '',
  'x',
  'api',
  'web',
  'https://us',
  'https://us/',
  'access',
  'refresh',
  'at+jwt',
  'rt+jwt',
  'JWT',
  'AT+JWT',
  'application/at+jwt',
  'HS256',
  'none',
  KID,
  true,
  false,
  [],
  ['api'],
  ['web', 'x'],
  ['a b'],
  [1],
  [''],
  {},
  { a: 1 },
  '\ud800',
  String(NOW),
)
const changesOf = (names: readonly string[]): fc.Arbitrary<Record<string, unknown>> =>
  fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 2, noNullPrototype: true })
const claimChanges = changesOf([
  'sub',
  'jti',
  'iat',
  'exp',
  'nbf',
  'iss',
  'aud',
  'type',
  'fresh',
  'csrf',
  'scopes',
  'sid',
  'gen',
  'auth_time',
  'amr',
  'acr',
  'login_type',
  'role',
  'constructor',
])
const headerChanges = changesOf([
  'alg',
  'typ',
  'kid',
  'cty',
  'crit',
  'b64',
  'jwk',
  'jku',
  'x5c',
  'zip',
  'x',
  'iss',
])
const spoil = fc.constantFrom<(token: string) => string>(
  (t) => t,
  (t) => t,
  (t) => t,
  (t) => t,
  (t) => `${t}=`,
  (t) => `${t} `,
  (t) => `\n${t}`,
  (t) => t.replace('.', ' .'),
  (t) => t.replace('.', '.='),
  (t) => `${t}.`,
  (t) => t.slice(1),
  (t) => t.slice(0, -1),
  (t) => t.replaceAll('-', '+'),
  (t) => `${t.slice(0, -1)}${t.endsWith('A') ? 'B' : 'A'}`,
)

describe('ours and jose', () => {
  it('agree on a sound token', async () => {
    expect(await compare(forge(SOUND_CLAIMS, { header: SOUND_HEADER }))).toBe('both')
  })

  it('agree on every token, or the list says why we are stricter', async () => {
    const verdicts = { both: 0, neither: 0, stricter: 0 }
    await fc.assert(
      fc.asyncProperty(claimChanges, headerChanges, spoil, async (claims, header, act) => {
        const token = forge({ ...SOUND_CLAIMS, ...claims }, { header: { ...SOUND_HEADER, ...header } })
        const verdict = await compare(act(token))
        verdicts[typeof verdict === 'string' ? (verdict as 'both') : 'stricter']++
      }),
      { numRuns: 3000 },
    )
    // Otherwise the comparison would be of refusals only.
    expect(Math.min(verdicts.both, verdicts.neither, verdicts.stricter)).toBeGreaterThan(100)
  })

  it('agree on tokens with custom claims of any kind', async () => {
    const data = fc.dictionary(fc.stringMatching(/^[a-z]{4,8}_$/), fc.jsonValue({ maxDepth: 4 }), {
      maxKeys: 6,
    })
    await fc.assert(
      fc.asyncProperty(data, async (members) => {
        const token = forge({ ...SOUND_CLAIMS, ...members }, { header: SOUND_HEADER })
        const verdict = await compare(token)
        return verdict === 'both' || (Array.isArray(verdict) && verdict.length > 0)
      }),
      { numRuns: 400 },
    )
  })

  it('agree that our own tokens are sound', async () => {
    const options = fc.record(
      {
        fresh: fc.boolean(),
        scopes: fc.array(fc.stringMatching(/^[a-z]{1,5}(:[a-z*]{1,5})?$/)),
        audience: fc.constantFrom('api', ['web']),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1 }), options, async (sub, given) => {
        expect(await compare(await auth.createAccessToken(sub, given))).toBe('both')
      }),
      { numRuns: 300 },
    )
  })
})

/** One token for each reason that jose accepts and we refuse for that reason: the list holds nothing that is not needed. */
const EXAMPLES: Readonly<Record<string, string>> = (() => {
  const sound = forge(SOUND_CLAIMS, { header: SOUND_HEADER })
  const raw = (claims: string): string =>
    forge(`${JSON.stringify(SOUND_CLAIMS).slice(0, -1)},${claims}}`, { header: SOUND_HEADER })
  const under = (header: unknown): string => forge(SOUND_CLAIMS, { header })
  const saying = (claims: object): string => forge({ ...SOUND_CLAIMS, ...claims }, { header: SOUND_HEADER })
  const many = Object.fromEntries(Array.from({ length: 260 }, (_, i) => [`m${i}`, i]))
  return {
    'a part is not canonical base64url': `${sound} `,
    'the token is longer than 8192 characters': saying({ x: 'y'.repeat(7000) }),
    'the header is longer than 1024 characters or has more than 16 members': under({
      ...SOUND_HEADER,
      x: 'y'.repeat(900),
    }),
    'the payload has more than 256 members or 16 levels': saying(many),
    'a header member stands twice, or is an object or a list': under(
      `{"alg":"none","alg":"HS256","typ":"at+jwt"}`,
    ),
    'the header has a member that changes what the signature means or where the key comes from': under({
      ...SOUND_HEADER,
      jku: 'https://evil',
    }),
    'the header names another key': under({ ...SOUND_HEADER, kid: 'other' }),
    'typ is not that of the type': under({ ...SOUND_HEADER, typ: 'JWT' }),
    'a claim is missing or of another shape': saying({ jti: undefined }),
    'iat or auth_time lies in the future': saying({ iat: NOW + 6 }),
    'the life is longer than limits.lifetime': saying({ exp: NOW + 401 * 86_400 }),
    'a member is called __proto__': raw('"__proto__":{"admin":true}'),
    'it belongs to a realm': saying({ login_type: 'staff' }),
    'the JSON begins with a byte order mark': `${encode(`\ufeff${JSON.stringify(SOUND_HEADER)}`)}.${sound.split('.')[1]}.`,
  }
})()

describe('each reason of the list is needed', () => {
  it.each(Object.keys(REASONS))('%s', async (reason) => {
    const token = EXAMPLES[reason]!
    const signed = token.endsWith('.') ? resign(token) : token
    const verdict = await compare(signed)
    expect(verdict).toContain(reason)
    // No other reason would have caught it, but for the spelling of what is hidden behind a byte order mark.
    expect(verdict.length, String(verdict)).toBeLessThanOrEqual(1)
  })
})

/** Signs what stands before the last dot. */
function resign(token: string): string {
  const [header = '', payload = ''] = token.split('.')
  return forge(Buffer.from(payload, 'base64url'), { header: Buffer.from(header, 'base64url') })
}
