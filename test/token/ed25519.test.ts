/**
 * Ed25519 by both of its names: `EdDSA` (RFC 8037) and `Ed25519` (RFC 9864), with what Web Crypto
 * exports and what jose signs.
 */
import { exportJWK, generateKeyPair, importJWK, jwtVerify, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { createAuth, createKeyRing, generateKey, type Jwk } from '../../src/index.ts'
import { makeKey, signWith, startProvider } from '../issuers/provider.ts'
import { codeOf, stoppedClock } from './forge.ts'

const NAMES = ['EdDSA', 'Ed25519'] as const

/** The other name. */
const other = (name: string): string => (name === 'EdDSA' ? 'Ed25519' : 'EdDSA')

describe.each(NAMES)('%s', (alg) => {
  it('signs tokens that jose verifies by the published key', async () => {
    const auth = createAuth({ keys: createKeyRing({ signing: generateKey(alg) }) })
    const [jwk] = auth.jwks().keys
    const token = await auth.createAccessToken('u')
    const { payload, protectedHeader } = await jwtVerify(token, await importJWK(jwk as never))
    expect([protectedHeader.alg, jwk?.alg, payload.sub]).toEqual([alg, alg, 'u'])
  })

  it('verifies tokens that jose signs, by this name only', async () => {
    const { privateKey, publicKey } = await generateKeyPair(alg)
    const jwk = (await exportJWK(publicKey)) as Jwk
    const keys = createKeyRing({ verifying: [{ alg, key: { ...jwk, alg }, kid: 'k' }] })
    const auth = createAuth({ keys })
    const sign = (name: string) =>
      new SignJWT({ jti: 'j', type: 'access', fresh: false, scopes: [] })
        .setProtectedHeader({ alg: name, kid: 'k', typ: 'access+jwt' })
        .setSubject('u')
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey)
    expect(await codeOf(async () => auth.verifyToken(await sign(alg)))).toBe('accepted')
    expect(await codeOf(async () => auth.verifyToken(await sign(other(alg))))).toBe('signature_invalid')
  })
})

describe('a key that Web Crypto exports', () => {
  it('signs and verifies as it is', async () => {
    const { subtle } = globalThis.crypto
    // Which type of result it is, the types of some versions of Node do not say.
    const pair: object = await subtle.generateKey('Ed25519', true, ['sign', 'verify'])
    const halves = [Reflect.get(pair, 'privateKey'), Reflect.get(pair, 'publicKey')]
    const [signing, verifying] = await Promise.all(
      halves.map(async (key) => ({
        ...((await subtle.exportKey('jwk', key)) as Jwk),
        // Older versions leave it out.
        alg: 'Ed25519',
        kid: 'k',
      })),
    )
    const issuing = createAuth({ keys: createKeyRing({ signing: signing as Jwk }) })
    const checking = createAuth({ keys: createKeyRing({ verifying: [verifying as Jwk] }) })
    const token = await issuing.createAccessToken('u')
    expect(await checking.verifyToken(token)).toMatchObject({ sub: 'u' })
  })
})

describe('the key of an issuer', () => {
  async function start(names: { readonly key?: string; readonly algorithms?: readonly never[] }) {
    const pair = makeKey('EdDSA', 'k')
    const { alg: _, ...bare } = pair.jwk
    const provider = await startProvider([pair])
    provider.keys = [{ ...bare, ...(names.key !== undefined && { alg: names.key }) }]
    const { algorithms } = names
    const auth = createAuth({
      issuers: [{ issuer: provider.issuer, audience: 'api', ...(algorithms && { algorithms }) }],
      clock: stoppedClock(),
    })
    const verify = (header: string) =>
      codeOf(() => auth.verifyToken(signWith(pair, provider.claims(), { alg: header })))
    return { auth, verify }
  }

  it.each(NAMES)('that says %s is taken without an option, for this name only', async (key) => {
    const { verify } = await start({ key })
    expect([await verify(key), await verify(other(key))]).toEqual(['accepted', 'signature_invalid'])
  })

  it('that says neither is for both, as they are one algorithm', async () => {
    const { auth, verify } = await start({})
    expect([await verify('EdDSA'), await verify('Ed25519')]).toEqual(['accepted', 'accepted'])
    expect(auth.issuers()).toMatchObject([{ keys: 1 }])
  })

  it('is for no name that the option leaves out', async () => {
    const { verify } = await start({ algorithms: ['Ed25519'] as never })
    expect([await verify('EdDSA'), await verify('Ed25519')]).toEqual(['signature_invalid', 'accepted'])
  })
})
