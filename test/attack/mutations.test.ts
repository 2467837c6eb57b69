/** Mutations of tokens, and the signer and encodings behind them, against Node's own crypto. */
import { createHmac, createPublicKey, verify, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { PUBLIC_FORMS } from '../../attack/encodings.ts'
import { findKey, serverKey, signWith, toPair, toPublicJwk } from '../../attack/keys.ts'
import { fromSegments, type MutationTools, mutate, readSegment, toSegments } from '../../attack/mutations.ts'
import { Unsupported } from '../../attack/values.ts'

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (text: string) => Buffer.from(text, 'base64url')

function makeToken(alg: string, payload: unknown = { sub: 'alice' }): [string, MutationTools] {
  const { key } = serverKey(alg)
  const resign = (header: string, body: string) => ({
    header,
    payload: body,
    signature: signWith(alg, key, `${header}.${body}`).toString('base64url'),
  })
  const token = fromSegments(resign(encode({ alg, typ: 'at+jwt' }), encode(payload)))
  const other = resign(encode({ alg, typ: 'at+jwt' }), encode({ sub: 'bob' }))
  return [token, { alg, resign, other, members: { alg: 'none' } }]
}

/** Whether the HMAC of a token is right over its text as sent. */
function isSigned(token: string): boolean {
  const { key } = serverKey('HS256')
  const { header, payload, signature } = toSegments(token)
  return (
    createHmac('sha256', key as Uint8Array)
      .update(`${header}.${payload}`)
      .digest('base64url') === signature
  )
}

describe('mutate', () => {
  const [token, tools] = makeToken('HS256')

  it('changes the header and keeps the signature', () => {
    const changed = toSegments(mutate('set_header', token, tools))
    expect(readSegment(changed.header)).toEqual({ alg: 'none', typ: 'at+jwt' })
    expect(changed.signature).toBe(toSegments(token).signature)
  })

  it('writes the same signature in other characters', () => {
    for (const fn of ['flip_unused_bits:signature', 'pad_equals:signature', 'std_alphabet:signature']) {
      const changed = mutate(fn, token, tools)
      const { header, payload, signature } = toSegments(changed)
      const expected = signWith('HS256', serverKey('HS256').key, `${header}.${payload}`)
      expect(decode(signature).equals(expected), fn).toBe(true)
      expect(signature, fn).not.toBe(expected.toString('base64url'))
    }
  })

  it.each(['', 'a', 'ab'])('spoils a payload under a good signature, whatever its length (%j)', (more) => {
    const [sized, sizedTools] = makeToken('HS256', { sub: `alice${more}` })
    for (const fn of ['flip_unused_bits:payload,resign', 'pad_equals:payload,resign']) {
      const changed = mutate(fn, sized, sizedTools)
      const { payload } = toSegments(changed)
      expect(isSigned(changed), fn).toBe(true)
      expect(readSegment(payload), fn).toEqual({ sub: `alice${more}` })
      expect(decode(payload).toString('base64url'), fn).not.toBe(payload)
    }
  })

  it('mixes two tokens', () => {
    expect(mutate('swap_payloads:payload_of_other', token, tools)).toContain(tools.other.payload)
    expect(mutate('swap_payloads:signature_of_other', token, tools)).toContain(tools.other.signature)
    expect(JSON.parse(mutate('json_serialization:flattened', token, tools))).toHaveProperty('protected')
  })

  it('flips one bit of the signature', () => {
    const changed = decode(toSegments(mutate('sig_flip_bit', token, tools)).signature)
    const before = decode(toSegments(token).signature)
    expect(changed.filter((byte, index) => byte !== before[index])).toHaveLength(1)
  })

  it('turns ECDSA signatures into forms that only a lax verifier takes', () => {
    const [signed, ecTools] = makeToken('ES256')
    const { header, payload } = toSegments(signed)
    const { publicKey } = toPair(serverKey('ES256')) ?? {}
    if (publicKey === undefined) throw new Error('no key')
    const der = decode(toSegments(mutate('ecdsa_to_der', signed, ecTools)).signature)
    const input = Buffer.from(`${header}.${payload}`)
    expect(verify('sha256', input, { key: publicKey, dsaEncoding: 'der' }, der)).toBe(true)
    const length = (fn: string) => decode(toSegments(mutate(fn, signed, ecTools)).signature).length
    expect([length('sig_append_zero'), length('ecdsa_r_plus_n'), length('ecdsa_s_plus_n')]).toEqual([
      65, 66, 66,
    ])
  })

  it('names an unknown mutation', () => {
    expect(() => mutate('make_it_valid', token, tools)).toThrow(Unsupported)
    expect(() => mutate('pad_equals:trailer', token, tools)).toThrow(Unsupported)
    expect(() => mutate('constructor', token, tools)).toThrow(Unsupported)
  })
})

describe('keys', () => {
  it.each(['RS512', 'PS256', 'ES256', 'ES512', 'EdDSA'])('signs %s as Node verifies it', (alg) => {
    const server = serverKey(alg)
    const pair = toPair(server)
    if (pair === undefined) throw new Error('no pair')
    const signature = signWith(alg, server.key, 'text')
    const key = {
      key: pair.publicKey,
      dsaEncoding: 'ieee-p1363' as const,
      ...(alg === 'PS256' && { padding: 6 }),
    }
    const hash = alg === 'EdDSA' ? null : `sha${alg.slice(2)}`
    expect(verify(hash, Buffer.from('text'), key, signature)).toBe(true)
  })

  it('hands out the public key in every form', () => {
    const server = serverKey('RS512')
    for (const name of Object.keys(PUBLIC_FORMS))
      expect(findKey(name, server), name).toBeInstanceOf(Uint8Array)
    expect(findKey('server_public_pem', serverKey('HS256'))).toBeUndefined()
    expect(findKey('constructor', server)).toBeUndefined()
    expect(toPublicJwk('attacker_ec')).toMatchObject({ kty: 'EC', crv: 'P-256' })
  })

  it('makes a certificate that Node reads and that signs itself', () => {
    const server = serverKey('RS512')
    const certificate = new X509Certificate(Buffer.from(findKey('server_cert_pem', server) as Uint8Array))
    expect(
      certificate.verify(createPublicKey(certificate.publicKey.export({ type: 'spki', format: 'pem' }))),
    ).toBe(true)
    expect(certificate.publicKey.equals(toPair(server)?.publicKey as never)).toBe(true)
  })
})
