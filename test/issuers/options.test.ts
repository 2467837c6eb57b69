/** The option `issuers` as developers write it: what is refused at start, and in which words. */
import { describe, expect, it } from 'vitest'
import { createAuth } from '../../src/index.ts'
import { complaintOf, SECRET } from '../token/forge.ts'
import { makeKey } from './provider.ts'

const issuer = 'https://idp.example'
const audience = 'api'
const { jwk } = makeKey('ES256', 'one')

const REFUSALS: readonly (readonly [string, unknown, RegExp])[] = [
  ['no list', { issuer, audience }, /`issuers` to be a list of \{ issuer, audience \}, got object/],
  ['an empty list', [], /`issuers` to be a list/],
  ['undefined', undefined, /`issuers` to have a value, got undefined/],
  ['a member that is a text', [issuer], /`issuers\[0\]` to be an object such as/],
  ['no issuer', [{ audience }], /`issuers\[0\]\.issuer` to be the `iss` of its tokens, got undefined/],
  ['no audience', [{ issuer }], /`issuers\[0\]\.audience` to name this service/],
  [
    'an audience that is not set',
    [{ issuer, audience: undefined }],
    /`issuers\[0\]\.audience` to have a value/,
  ],
  ['an empty audience', [{ issuer, audience: [] }], /`issuers\[0\]\.audience` to be a non-empty string/],
  ['clients that are a number', [{ issuer, clients: 5 }], /`issuers\[0\]\.clients` to be a non-empty string/],
  [
    'a misspelt member',
    [{ issuer, audience, algoritms: [] }],
    /`issuers\[0\]\.algoritms`; did you mean `algorithms`/,
  ],
  ['the name of another library', [{ issuer, audience, jwksUri: issuer }], /did you mean `jwks`/],
  [
    'http',
    [{ issuer: 'http://idp.example', audience }],
    /`issuers\[0\]\.issuer` to be an https URL, got http, which is for this machine only/,
  ],
  [
    'a name that is no URL, without keys',
    [{ issuer: 'idp', audience }],
    /`issuers\[0\]\.issuer` to be an https URL/,
  ],
  [
    'keys by http',
    [{ issuer, audience, jwks: 'http://idp.example/jwks' }],
    /`issuers\[0\]\.jwks` to be an https URL, got http/,
  ],
  ['keys by another scheme', [{ issuer, audience, jwks: 'file:///etc/jwks.json' }], /got another scheme/],
  [
    'a password in the address',
    [{ issuer, audience, jwks: 'https://me:pw@idp.example/' }],
    /got one with a user or password/,
  ],
  [
    'a key set without a key',
    [{ issuer, audience, jwks: { keys: [] } }],
    /`issuers\[0\]\.jwks` to be a key set: .*no key/,
  ],
  [
    'a key set of secrets',
    [{ issuer, audience, jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }],
    /keys\[0\] is a secret/,
  ],
  [
    'no algorithm',
    [{ issuer, audience, algorithms: [] }],
    /`issuers\[0\]\.algorithms` to be a list out of RS256/,
  ],
  [
    'HMAC',
    [{ issuer, audience, algorithms: ['HS256'] }],
    /`issuers\[0\]\.algorithms` to be a list out of RS256/,
  ],
  ['none', [{ issuer, audience, algorithms: ['RS256', 'none'] }], /`issuers\[0\]\.algorithms`/],
  ['one algorithm twice', [{ issuer, audience, algorithms: ['RS256', 'RS256'] }], /each once/],
  ['another profile', [{ issuer, audience, profile: 'oidc' }], /`issuers\[0\]\.profile` to be 'rfc9068'/],
  [
    'a mapping that is no function',
    [{ issuer, audience, toUser: {} }],
    /`issuers\[0\]\.toUser` to be a function/,
  ],
  [
    'a key set kept for a month',
    [{ issuer, audience, maxStale: '30d' }],
    /`issuers\[0\]\.maxStale`.*between 0 and 604800/,
  ],
  [
    'one issuer twice',
    [
      { issuer, audience, sharesSubjects: true },
      { issuer, audience, sharesSubjects: true },
    ],
    /a name of its own/,
  ],
  [
    'two issuers whose subjects may be the same',
    [
      { issuer, audience },
      { issuer: 'https://other.example', audience },
    ],
    /`issuers\[0\]\.toUser` to give a `sub`.*`sharesSubjects: true`/,
  ],
]

describe('the option `issuers`', () => {
  it.each(REFUSALS)('is refused: %s', async (_, issuers, complaint) => {
    const text = await complaintOf(() => createAuth({ issuers } as never))
    expect(text).toMatch(/^ConfigurationError: /)
    expect(text).toMatch(complaint)
  })

  it('is refused where it names the own issuer, or subjects that the own keys may give to others', async () => {
    const own = { secret: SECRET, issuer }
    expect(
      await complaintOf(() => createAuth({ ...own, issuers: [{ issuer, audience, sharesSubjects: true }] })),
    ).toMatch(/one of them and `issuer`, are the same/)
    expect(await complaintOf(() => createAuth({ secret: SECRET, issuers: [{ issuer, audience }] }))).toMatch(
      /two issuers may give one `sub`/,
    )
  })

  it.each<[string, object]>([
    ['an issuer that is no URL, with keys', { issuer: 'accounts.google.com', jwks: { keys: [jwk] } }],
    ['an issuer on this machine', { issuer: 'http://localhost:8080/realms/acme' }],
    ['an issuer on this machine by IPv6', { issuer: 'http://[::1]:8080' }],
    ['clients in place of an audience', { audience: undefined, clients: 'app' }],
  ])('is accepted: %s', async (_, changes) => {
    const entries = Object.entries({ issuer, audience, ...changes }).filter(
      ([, value]) => value !== undefined,
    )
    expect(await complaintOf(() => createAuth({ issuers: [Object.fromEntries(entries)] } as never))).toBe(
      'accepted',
    )
  })

  it('is where other libraries have their names for it', async () => {
    expect(await complaintOf(() => createAuth({ jwksUri: `${issuer}/jwks` } as never))).toMatch(
      /did you mean `issuers: \[\{ issuer, audience, jwks \}\]`/,
    )
  })
})
