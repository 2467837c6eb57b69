/** Key files as OpenSSL writes them and as identity providers publish them. None is used anywhere. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  type AlgorithmName,
  createAuth,
  createKeyRing,
  type Jwk,
  type Jwks,
  type Key,
} from '../../src/index.ts'

const readText = (name: string): string => readFileSync(new URL(`keys/${name}`, import.meta.url), 'utf8')
const PASSPHRASE = 'not-a-secret'

/** Whether tokens that are signed with a private key are verified with a public one. */
async function verifies(signing: Key, verifying: Key): Promise<boolean> {
  const token = await createAuth({ keys: createKeyRing({ signing }) }).createAccessToken('u')
  const keys = createKeyRing({ verifying: [verifying] })
  return (await createAuth({ keys }).verifyToken(token)).sub === 'u'
}

describe('a private key in a file', () => {
  it.each<[string, AlgorithmName, string?]>([
    ['ec-pkcs8.pem', 'ES256'],
    ['ec-sec1.pem', 'ES256'],
    ['ec-sec1-encrypted.pem', 'ES256', PASSPHRASE],
    ['ec-crlf.pem', 'ES256'],
    ['ec-one-line.pem', 'ES256'],
    ['rsa-pkcs1.pem', 'RS256'],
    ['rsa-pkcs8-encrypted.pem', 'RS256', PASSPHRASE],
    ['ed25519.pem', 'EdDSA'],
    ['pss.pem', 'PS256'],
    ['pss.pem', 'PS512'],
    ['pss-sha256.pem', 'PS256'],
  ])('%s signs with %s', async (name, alg, passphrase) => {
    const signing: Key = { alg, key: readText(name), kid: 'k', ...(passphrase && { passphrase }) }
    expect(await verifies(signing, signing)).toBe(true)
  })

  it('ec-escaped.env signs as the value of its variable', async () => {
    const [, value = ''] = /^SIGNING_KEY=(.*)$/m.exec(readText('ec-escaped.env')) ?? []
    const signing: Key = { alg: 'ES256', key: value }
    expect(await verifies(signing, signing)).toBe(true)
  })

  it.each<[string, string, AlgorithmName]>([
    ['rsa-pkcs1.pem', 'rsa-certificate.pem', 'RS256'],
    ['rsa-pkcs1.pem', 'rsa-pkcs1-public.pem', 'RS256'],
    ['pss-sha256.pem', 'pss-sha256-public.pem', 'PS256'],
  ])('%s is verified by %s', async (signing, verifying, alg) => {
    expect(await verifies({ alg, key: readText(signing) }, { alg, key: readText(verifying) })).toBe(true)
  })

  it.each<[string, AlgorithmName, RegExp]>([
    ['pss.pem', 'RS256', /for PS256, PS384 or PS512, got an RSASSA-PSS key/],
    ['pss-sha256.pem', 'PS512', /for sha512, got an RSASSA-PSS key whose parameters allow sha256 only/],
    ['ec-sec1-encrypted.pem', 'ES256', /without encryption, or with its `passphrase` beside it/],
  ])('%s is refused for %s, in plain words', (name, alg, message) => {
    expect(() => createKeyRing({ signing: { alg, key: readText(name) } })).toThrow(message)
  })

  it('is refused where it was cut off at its first line break', () => {
    const [first = ''] = readText('ec-pkcs8.pem').split('\n')
    expect(() => createKeyRing({ signing: { alg: 'ES256', key: first } })).toThrow(
      /cut off after its first line/,
    )
  })
})

describe('the key set of an identity provider', () => {
  const readSet = (name: string): Jwks => JSON.parse(readText(`${name}.jwks.json`)) as Jwks

  it.each<[string, string]>([
    ['keycloak', 'kc-sig'],
    ['auth0', 'auth0-1'],
    ['cognito', 'cognito-1'],
    ['google', 'google-1'],
  ])('of %s is taken whole, without the keys that are for something else', async (name, kid) => {
    const ring = createKeyRing({ verifying: readSet(name).keys })
    expect(ring.keys.map((key) => key.kid)).toEqual([kid])
    const signing: Key = { alg: 'RS256', key: readText('rsa-pkcs1.pem'), kid }
    const token = await createAuth({ keys: createKeyRing({ signing }) }).createAccessToken('u')
    expect((await createAuth({ keys: ring }).verifyToken(token)).sub).toBe('u')
    const loaded = createAuth({
      keys: createKeyRing({ load: () => readSet(name) as { keys: readonly Jwk[] } }),
    })
    expect((await loaded.verifyToken(token)).sub, 'loaded').toBe('u')
  })

  it('of Entra, which names no algorithm, is told how to give one', () => {
    const { keys } = readSet('entra')
    expect(() => createKeyRing({ verifying: keys })).toThrow(
      /without `alg` \(kid entra-1\) give \{ alg, key: jwk \}/,
    )
    const verifying = keys.map((key): Key => ({ alg: 'RS256', key }))
    expect(createKeyRing({ verifying }).keys.map(({ kid }) => kid)).toEqual(['entra-1'])
  })
})
