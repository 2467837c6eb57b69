/** The examples of the RFCs: RFC 7515 appendix A, RFC 7638 section 3.1, RFC 8037 appendix A, RFC 7519 section 3.1 and 6.1. */
import { createPublicKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fromBase64Url } from '../../src/internal/bytes.ts'
import { toThumbprint } from '../../src/token/jwk.ts'
import { prepareVerifyJws } from '../../src/token/jws.ts'
import { createKeyRing } from '../../src/token/key-ring.ts'
import type { KeyRing } from '../../src/token/ring.ts'
import { codeOf, NOW, setUp } from '../token/forge.ts'

const PAYLOAD =
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'
const HMAC = {
  kty: 'oct',
  alg: 'HS256',
  k: 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
}
const RSA = {
  kty: 'RSA',
  alg: 'RS256',
  e: 'AQAB',
  n: 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
}
const EC = {
  kty: 'EC',
  alg: 'ES256',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
}
const EC_521 = {
  kty: 'EC',
  alg: 'ES512',
  crv: 'P-521',
  x: 'AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk',
  y: 'ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2',
}
const ED = { kty: 'OKP', alg: 'EdDSA', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
const RSA_SIGNATURE =
  'cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw'
const EC_SIGNATURE = 'DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q'

/** The example, its key, its token, and the payload that must come out. */
const EXAMPLES: readonly (readonly [string, object, string, string])[] = [
  [
    'RFC 7515 A.1 and RFC 7519 3.1 (HS256)',
    HMAC,
    `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`,
    Buffer.from(PAYLOAD, 'base64url').toString(),
  ],
  [
    'RFC 7515 A.2 (RS256)',
    RSA,
    `eyJhbGciOiJSUzI1NiJ9.${PAYLOAD}.${RSA_SIGNATURE}`,
    Buffer.from(PAYLOAD, 'base64url').toString(),
  ],
  [
    'RFC 7515 A.3 (ES256)',
    EC,
    `eyJhbGciOiJFUzI1NiJ9.${PAYLOAD}.${EC_SIGNATURE}`,
    Buffer.from(PAYLOAD, 'base64url').toString(),
  ],
  [
    'RFC 7515 A.4 (ES512)',
    EC_521,
    'eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn',
    'Payload',
  ],
  [
    'RFC 8037 A.4 (Ed25519)',
    ED,
    'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
    'Example of Ed25519 signing',
  ],
]
const LIMITS = { tokenLength: 8192 }
const everyKey = (): KeyRing =>
  createKeyRing({ verifying: [HMAC, RSA, EC, EC_521, ED] as never, mixed: true })

describe('the examples of the RFCs', () => {
  it.each(EXAMPLES)('%s verifies', (_, jwk, token, payload) => {
    const verify = prepareVerifyJws(createKeyRing({ verifying: [jwk as never] }), LIMITS, fromBase64Url)
    expect(verify(token, NOW).payload.toString()).toBe(payload)
  })

  it.each(EXAMPLES)('%s does not verify with a bit of its payload changed', (_, jwk, token) => {
    const verify = prepareVerifyJws(createKeyRing({ verifying: [jwk as never] }), LIMITS, fromBase64Url)
    const [header, payload = '', signature] = token.split('.')
    const changed = `${payload[0] === 'e' ? 'f' : 'V'}${payload.slice(1)}`
    expect(() => verify(`${header}.${changed}.${signature}`, NOW)).toThrow('Signature verification failed')
  })

  it('RFC 7515 A.5 and RFC 7519 6.1 (unsecured) fail', () => {
    const verify = prepareVerifyJws(everyKey(), LIMITS, fromBase64Url)
    expect(() => verify(`eyJhbGciOiJub25lIn0.${PAYLOAD}.`, NOW)).toThrow('Invalid Token')
  })

  const general = {
    payload: PAYLOAD,
    signatures: [
      { protected: 'eyJhbGciOiJSUzI1NiJ9', header: { kid: '2010-12-29' }, signature: RSA_SIGNATURE },
      { protected: 'eyJhbGciOiJFUzI1NiJ9', header: { kid: 'e9bc097a' }, signature: EC_SIGNATURE },
    ],
  }
  const flattened = { payload: PAYLOAD, ...general.signatures[1] }
  it.each([
    ['RFC 7515 A.6 (general JSON serialization)', general],
    ['RFC 7515 A.7 (flattened JSON serialization)', flattened],
  ])('%s fails', async (_, value) => {
    const verify = prepareVerifyJws(everyKey(), LIMITS, fromBase64Url)
    expect(() => verify(JSON.stringify(value), NOW)).toThrow('Invalid Token')
    expect(await codeOf(() => setUp().auth.verifyToken(JSON.stringify(value)))).toBe('token_malformed')
  })

  it('a polyglot of JSON and compact serialization fails (CVE-2022-39227)', () => {
    const verify = prepareVerifyJws(everyKey(), LIMITS, fromBase64Url)
    const [header, payload, signature] = EXAMPLES[0]![2].split('.')
    const polyglot = `{" ${header}.${payload}.${signature}":"","protected":"${header}","payload":"e30","signature":"${signature}"}`
    expect(() => verify(polyglot, NOW)).toThrow('Invalid Token')
  })

  it('RFC 7515 F (detached content) fails: nothing stands between the dots', () => {
    const verify = prepareVerifyJws(everyKey(), LIMITS, fromBase64Url)
    const [header, , signature] = EXAMPLES[0]![2].split('.')
    expect(() => verify(`${header}..${signature}`, NOW)).toThrow('Signature verification failed')
  })

  it('RFC 7638 3.1: the thumbprint of the example', () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
    const key = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' })
    expect(toThumbprint(key, 'RSA')).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
  })

  it('RFC 8037 A.3: the thumbprint of the example', () => {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: ED.x }, format: 'jwk' })
    expect(toThumbprint(key, 'OKP')).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  })
})
