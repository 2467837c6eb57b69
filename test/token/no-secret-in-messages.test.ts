/**
 * Whatever is put into the wrong place, no message repeats it: every option of every call gets a secret,
 * as its value, in a list, as a member and as the name of one.
 */
import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createAuth } from '../../src/auth/create-auth.ts'
import type { AuthError } from '../../src/errors.ts'
import { authRoutes } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createKeyRing } from '../../src/token/key-ring.ts'
import { errorOf, SECRET } from './forge.ts'

const PEM = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const MARKERS = {
  'a secret': SECRET,
  hexadecimal: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'a PEM': PEM,
  'a JWK in JSON': `{"kty":"oct","k":"${SECRET}"}`,
  'JSON that is cut off': `{"kty":"oct","k":"${SECRET}`,
  'a token': `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.${SECRET}`,
} as const

/** The forms in which a marker is put into a place. */
const FORMS: Readonly<Record<string, (marker: string) => unknown>> = {
  itself: (marker) => marker,
  bytes: (marker) => Buffer.from(marker),
  'in a list': (marker) => [marker],
  'twice in a list': (marker) => [marker, marker],
  'as members': (marker) => ({
    alg: marker,
    key: marker,
    kid: marker,
    kty: marker,
    k: marker,
    name: marker,
    mode: marker,
    expiresIn: marker,
    store: marker,
    origins: [marker],
    access: marker,
  }),
  'as a key': (marker) => ({ alg: 'ES256', key: marker }),
  'as a secret': (marker) => ({ alg: marker, key: 'HS256' }),
  'as a JWK': (marker) => ({ kty: 'EC', crv: marker, x: marker, y: marker, d: marker, alg: 'ES256' }),
  'as a name': (marker) => ({ [marker]: 'x' }),
}

/** Everything that is shown of an error. */
function show(error: unknown): string {
  const parts: string[] = []
  for (let at = error as Error | undefined; at !== undefined; at = at.cause as Error | undefined)
    parts.push(String(at), String(at.stack), JSON.stringify(at), inspect(at, { depth: 9 }))
  return parts.join('\n')
}

/** Whether a text holds a part of a marker. */
function leaks(text: string, marker: string): boolean {
  const secrets = marker.match(/[\w+/-]{16,}/g) ?? []
  return secrets.some((secret) => text.includes(secret.slice(0, 12)) || text.includes(secret.slice(-12)))
}

const OPTIONS = [
  'secret keys issuer audience access refresh freshness leeway locations header cookies query body csrf',
  'sessions revocation isRevoked interop realm claims cache limits subject clock on',
]
  .join(' ')
  .split(' ')
const auth = createAuth({ secret: SECRET })
const stateful = createAuth({ secret: SECRET, sessions: { store: memoryStore() } })
const TOKEN_OPTIONS =
  'expiresIn expiresAt notBefore scopes data audience headers amr acr fresh authTime access refresh'.split(
    ' ',
  )
const REQUIREMENT =
  'type fresh maxAge acr amr scopes anyScope realm locations csrf revocation optional renew'.split(' ')
const ROUTES = 'verifyCredentials basePath usernameOf address cors throttle clients delivery'.split(' ')

/** Every place: what is called with a value there. */
const PLACES: readonly (readonly [string, (value: never) => unknown])[] = [
  ['createAuth(value)', (value) => createAuth(value)],
  ['createKeyRing(value)', (value) => createKeyRing(value)],
  ...(['signing', 'verifying', 'mixed'] as const).map(
    (name) => [`createKeyRing ${name}`, (value: never) => createKeyRing({ [name]: value })] as const,
  ),
  ['createKeyRing verifying[0]', (value) => createKeyRing({ verifying: [value] })],
  ...(['alg', 'key', 'kid', 'notAfter', 'passphrase'] as const).map(
    (name) =>
      [
        `createKeyRing signing.${name}`,
        (value: never) => createKeyRing({ signing: { alg: 'ES256', key: PEM, [name]: value } }),
      ] as const,
  ),
  ...OPTIONS.map(
    (name) =>
      [`createAuth ${name}`, (value: never) => createAuth({ secret: SECRET, [name]: value })] as const,
  ),
  ...TOKEN_OPTIONS.map(
    (name) =>
      [`createTokenPair ${name}`, (value: never) => auth.createTokenPair('u', { [name]: value })] as const,
  ),
  ...TOKEN_OPTIONS.map(
    (name) =>
      [
        `createAccessToken ${name}`,
        (value: never) => auth.createAccessToken('u', { [name]: value }),
      ] as const,
  ),
  ['createAccessToken options', (value) => auth.createAccessToken('u', value)],
  ['verifyToken', (value) => auth.verifyToken(value)],
  ['decodeUnverified', (value) => auth.decodeUnverified(value)],
  ['prepare', (value) => auth.prepare(value)],
  ...REQUIREMENT.map(
    (name) => [`prepare ${name}`, (value: never) => auth.prepare({ [name]: value })] as const,
  ),
  ['recheck', (value) => auth.recheck(value)],
  ['revoke', (value) => stateful.revoke(value)],
  ['sessions.list', (value) => stateful.sessions.list(value)],
  ['sessions.start', (value) => stateful.sessions.start('u', value)],
  ['cookies', (value) => auth.cookies(value)],
  ['authRoutes(value)', (value) => authRoutes(value, { verifyCredentials: () => null })],
  ['authRoutes options', (value) => authRoutes(auth, value)],
  ...ROUTES.map(
    (name) =>
      [
        `authRoutes ${name}`,
        (value: never) => authRoutes(auth, { verifyCredentials: () => null, [name]: value } as never),
      ] as const,
  ),
]

describe.each(Object.entries(MARKERS))('%s', (_, marker) => {
  it.each(PLACES)('is not repeated by %s', async (place, call) => {
    for (const [form, make] of Object.entries(FORMS)) {
      const error = await errorOf(() => call(make(marker) as never))
      if (error !== undefined)
        expect(leaks(show(error), marker), `${place}, ${form}: ${show(error)}`).toBe(false)
    }
  })
})

it('the search finds what is shown', () => {
  for (const marker of Object.values(MARKERS)) expect(leaks(show(new Error(marker)), marker)).toBe(true)
})

it('an application and its key ring show nothing of the secret', () => {
  const keys = createKeyRing({ signing: { alg: 'HS256', key: SECRET } })
  const shown = inspect([createAuth({ secret: SECRET }), keys, createAuth({ keys })], {
    depth: 12,
    showHidden: true,
  })
  expectNothingOf(SECRET, shown)
})

/** Neither the text, nor its bytes as Node prints them. */
function expectNothingOf(text: string, shown: string): void {
  const bytes = Buffer.from(text)
  const start = bytes.subarray(0, 16)
  for (const form of [text, bytes.toString('base64url'), [...start].join(', '), start.toString('hex')])
    expect(shown).not.toContain(form)
  expect(shown).not.toContain(start.toString('hex').replace(/..(?=.)/g, '$& '))
}

it('a payload and a refusal show nothing of the secret or the token, and a response no stack', async () => {
  const auth = createAuth({ secret: SECRET })
  const token = await auth.createAccessToken('7', { scopes: ['read'] })
  const payload = await auth.verifyToken(token)
  const forged = `${token.slice(0, -4)}AAAA`
  const error = await auth.verifyToken(forged).catch((reason: unknown) => reason as AuthError)
  const shown = [payload, error].map((value) =>
    [inspect(value, { depth: 12, showHidden: true }), JSON.stringify(value), String(value)].join('\n'),
  )
  expect(shown[0]).toContain('read')
  expect(shown[1]).toContain('signature_invalid')
  for (const text of shown) {
    expectNothingOf(SECRET, text)
    for (const secret of [token, forged, token.split('.')[2] ?? '']) expect(text).not.toContain(secret)
  }
  const { body } = auth.errorResponse(error as AuthError)
  expect(body).not.toMatch(/ at |stack|cause|\.ts/)
})
