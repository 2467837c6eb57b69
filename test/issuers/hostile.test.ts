/** Issuers that lie, stall or were taken over, and tokens that want to lead somewhere. */
import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuth, type IssuerOptions } from '../../src/index.ts'
import { checkAddress, isPrivateAddress } from '../../src/issuers/address.ts'
import { codeOf, encode, errorOf, NOW, stoppedClock } from '../token/forge.ts'
import { makeKey, type Provider, signWith, startProvider } from './provider.ts'

const rsa = makeKey('RS256', 'rsa-1')

async function start(options: Partial<IssuerOptions> = {}, path = '') {
  const provider = await startProvider([rsa], path)
  const clock = stoppedClock()
  const auth = createAuth({ issuers: [{ issuer: provider.issuer, audience: 'api', ...options }], clock })
  const verify = (token: string) => auth.verifyToken(token)
  return { provider, clock, auth, verify }
}

/** The reasons of a refusal, from the outermost to the innermost. */
function reasonsOf(error: unknown): string {
  const reasons: string[] = []
  for (let at = error; at instanceof Error; at = at.cause) reasons.push(at.message)
  return reasons.join(' | ')
}

/** A server that counts requests, at another origin than the issuer. */
async function startTrap(): Promise<{ url: string; hits: () => number }> {
  let hits = 0
  const server = createServer((_, response) => {
    hits++
    response.end(JSON.stringify({ keys: [rsa.jwk] }))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`, hits: () => hits }
}

describe('a response of an issuer', () => {
  it('that redirects is not followed, to its own origin neither', async () => {
    const trap = await startTrap()
    for (const location of [trap.url, '/other']) {
      const { provider, verify } = await start()
      provider.routes.set('/jwks', (_, response) => response.writeHead(302, { location }).end())
      const error = await errorOf(() => verify(signWith(rsa, provider.claims())))
      expect(error).toMatchObject({ code: 'issuer_unavailable' })
      expect(reasonsOf(error)).toContain('responded 302, a redirect, which is not followed')
      expect(provider.hits.get('/other')).toBeUndefined()
    }
    expect(trap.hits()).toBe(0)
  })

  it('that has no end is not read on after 512 KiB', async () => {
    const { provider, verify } = await start()
    let sent = 0
    let closed = false
    provider.routes.set('/jwks', (_, response) => {
      response.on('close', () => {
        closed = true
      })
      const write = (): void => {
        if (closed) return
        sent += 65_536
        if (response.write(Buffer.alloc(65_536, 0x20))) setImmediate(write)
        else response.once('drain', write)
      }
      write()
    })
    const error = await errorOf(() => verify(signWith(rsa, provider.claims())))
    expect(reasonsOf(error)).toContain('/jwks: a response of more than 524288 bytes')
    await expect.poll(() => closed).toBe(true)
    expect(sent).toBeLessThan(64 * 1024 * 1024)
  })

  it('that comes one byte at a time ends after 5 s in all', async () => {
    const { provider, verify } = await start()
    provider.routes.set('/jwks', (_, response) => {
      const timer = setInterval(() => response.write(' '), 100)
      response.on('close', () => clearInterval(timer))
    })
    const begun = performance.now()
    const error = await errorOf(() => verify(signWith(rsa, provider.claims())))
    expect(error).toMatchObject({ code: 'issuer_unavailable' })
    expect(reasonsOf(error)).toContain('/jwks: no whole response within 5 s')
    expect(performance.now() - begun).toBeLessThan(9000)
  })

  it.each<[string, string]>([
    ['no JSON', '<html>'],
    ['a list', '[]'],
    ['no keys', '{}'],
    ['keys that are no list', '{"keys":{}}'],
    ['an empty list', '{"keys":[]}'],
    ['nothing but nonsense', '{"keys":[null,5,"x",[],{}]}'],
    ['too many keys', JSON.stringify({ keys: Array(129).fill(rsa.jwk) })],
    ['invalid UTF-8', '{"keys":[{"kid":"\xff"}]}'],
  ])('with %s is refused, and the last good set stays', async (_, body) => {
    const { provider, verify, clock, auth } = await start()
    const token = signWith(rsa, provider.claims())
    await verify(token)
    provider.routes.set('/jwks', (_request, response) => response.end(Buffer.from(body, 'latin1')))
    clock.now += 601
    expect(await codeOf(() => verify(token))).toBe('accepted')
    expect(auth.issuers()).toMatchObject([{ status: 'stale', keys: 1 }])
  })

  it('whose metadata name another issuer is refused, were it by a slash', async () => {
    for (const name of ['https://idp.example', 'slash']) {
      const { provider, verify } = await start()
      const issuer = name === 'slash' ? `${provider.issuer}/` : name
      provider.routes.set('/.well-known/openid-configuration', (_, response) =>
        response.end(JSON.stringify({ issuer, jwks_uri: `${provider.issuer}/jwks` })),
      )
      const error = await errorOf(() => verify(signWith(rsa, provider.claims())))
      expect(reasonsOf(error)).toContain('names another issuer')
      expect(provider.hits.get('/jwks')).toBeUndefined()
    }
  })

  it.each([
    'http://idp.example/jwks',
    'https://me:pw@idp.example/',
    'file:///etc/passwd',
    'javascript:x',
    5,
    undefined,
  ])('whose metadata lead to %s is refused', async (jwks_uri) => {
    const { provider, verify } = await start()
    provider.routes.set('/.well-known/openid-configuration', (_, response) =>
      response.end(JSON.stringify({ issuer: provider.issuer, jwks_uri })),
    )
    const error = await errorOf(() => verify(signWith(rsa, provider.claims())))
    expect(error).toMatchObject({ code: 'issuer_unavailable' })
    expect(reasonsOf(error)).toContain('`jwks_uri` to be an https URL')
  })
})

describe('a poisoned key set', () => {
  const good = makeKey('ES256', 'good')
  const small = {
    kty: 'RSA',
    kid: 'weak',
    alg: 'RS256',
    e: 'AQAB',
    n: rsa.jwk['n']?.toString().slice(0, 100),
  }

  it('gives nothing but sound public keys for signatures', async () => {
    const privateJwk = rsa.privateKey.export({ format: 'jwk' })
    const secret = { kty: 'oct', kid: 'secret', alg: 'HS256', k: encode('x'.repeat(64)) }
    const { provider, verify, auth } = await start()
    provider.keys = [
      secret,
      { ...privateJwk, kid: 'private', alg: 'RS256' },
      { ...rsa.jwk, kid: 'enc', use: 'enc' },
      { ...rsa.jwk, kid: 'ops', key_ops: ['encrypt'] },
      { ...rsa.jwk, kid: 'other-alg', alg: 'RSA-OAEP' },
      { ...rsa.jwk, kid: 5 },
      { ...rsa.jwk, kid: 'e', e: 'AQ' },
      { ...good.jwk, kid: 'off-curve', x: good.jwk['y'] },
      { kty: 'AKP', kid: 'new', alg: 'ML-DSA-44', pub: 'AAAA' },
      { kty: 'OKP', crv: 'X25519', kid: 'exchange', x: encode(Buffer.alloc(32, 9)) },
      small,
      good.jwk,
    ]
    expect(await codeOf(() => verify(signWith(good, provider.claims())))).toBe('accepted')
    expect(auth.issuers()).toMatchObject([{ keys: 1 }])
    for (const kid of ['private', 'enc', 'ops', 'other-alg', 'e'])
      expect(await codeOf(() => verify(signWith({ ...rsa, kid }, provider.claims())))).toBe(
        'signature_invalid',
      )
  })

  it('gives no key for HMAC: not a secret of the set, and not the text of a public key', async () => {
    const { provider, verify } = await start()
    provider.keys = [...provider.keys, { kty: 'oct', kid: 'secret', alg: 'HS256', k: encode('x'.repeat(64)) }]
    const pem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    for (const [kid, key] of [
      ['secret', 'x'.repeat(64)],
      ['rsa-1', JSON.stringify(rsa.jwk)],
      ['rsa-1', pem],
    ] as const) {
      const input = `${encode({ alg: 'HS256', kid, typ: 'at+jwt' })}.${encode(provider.claims())}`
      const token = `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
      expect(await codeOf(() => verify(token))).toBe('signature_invalid')
    }
  })

  it('binds a key to its algorithm, and to one of the configuration where it names none', async () => {
    const key = makeKey('RS256', 'k')
    const { alg: _, ...bare } = key.jwk
    const { provider, verify } = await start({ algorithms: ['RS256', 'ES256'] })
    provider.keys = [bare, { ...rsa.jwk, alg: 'RS512' }]
    expect(await codeOf(() => verify(signWith(key, provider.claims())))).toBe('accepted')
    for (const alg of ['RS384', 'RS512', 'PS256'])
      expect(await codeOf(() => verify(signWith({ ...key, alg }, provider.claims())))).toBe(
        'signature_invalid',
      )
    expect(await codeOf(() => verify(signWith({ ...rsa, alg: 'RS512' }, provider.claims())))).toBe(
      'signature_invalid',
    )
    // Two algorithms fit: nothing says which.
    const vague = await start({ algorithms: ['RS256', 'PS256'] })
    vague.provider.keys = [bare]
    const error = await errorOf(() => vague.verify(signWith(key, vague.provider.claims())))
    expect(reasonsOf(error)).toContain('keys[0] has no `alg`, and several of `algorithms` fit it')
  })

  it('with one name for several keys tries them all', async () => {
    const keys = ['RS256', 'ES256', 'RS256'].map((alg) => makeKey(alg, 'same'))
    const { provider, verify } = await start()
    provider.keys = [{ ...rsa.jwk, kid: 'same', use: 'enc' }, ...keys.map(({ jwk }) => jwk)]
    for (const key of keys)
      expect(await codeOf(() => verify(signWith(key, provider.claims())))).toBe('accepted')
  })

  it('without names serves tokens with and without one', async () => {
    const key = makeKey('ES256', undefined)
    const { provider, verify } = await start()
    provider.keys = [{ ...key.jwk, kid: undefined }]
    expect(await codeOf(() => verify(signWith(key, provider.claims())))).toBe('accepted')
    expect(await codeOf(() => verify(signWith({ ...key, kid: 'any' }, provider.claims())))).toBe('accepted')
  })
})

describe('what a token says of keys', () => {
  it('leads nowhere: `jku`, `x5u`, `jwk` and `x5c` of the attacker', async () => {
    const trap = await startTrap()
    const mine = makeKey('RS256', 'rsa-1')
    const { provider, verify } = await start()
    const hints: Record<string, unknown>[] = [
      { jku: trap.url },
      { x5u: trap.url },
      { jwk: mine.jwk },
      { x5c: ['AAAA'] },
    ]
    for (const hint of hints) {
      const code = await codeOf(() => verify(signWith(mine, provider.claims(), hint)))
      expect(['signature_invalid', 'token_malformed']).toContain(code)
    }
    // Some issuers write `jku` into every token.
    expect(
      await codeOf(() => verify(signWith(rsa, provider.claims(), { jku: `${provider.issuer}/jwks` }))),
    ).toBe('accepted')
    expect(trap.hits()).toBe(0)
  })

  it('leads nowhere: an `iss` that is not configured, in any spelling', async () => {
    const trap = await startTrap()
    const { provider, verify } = await start()
    const other: Provider['issuer'][] = [
      new URL(trap.url).origin,
      `${provider.issuer}/`,
      provider.issuer.toUpperCase(),
    ]
    for (const iss of [...other, [provider.issuer], { toString: 1 }, '__proto__', 'constructor', null])
      expect(await codeOf(() => verify(signWith(rsa, provider.claims({ iss }))))).toBe('issuer_invalid')
    expect([trap.hits(), provider.hits.size]).toEqual([0, 0])
  })

  it('is read once: of two `iss` the one that is verified is the one that is believed', async () => {
    const { provider, verify } = await start()
    const text = JSON.stringify(provider.claims())
    const doubled = `{"iss":"https://evil.example",${text.slice(1)}`
    const token = signWith(rsa, doubled)
    expect(await verify(token)).toMatchObject({ iss: provider.issuer })
  })
})

describe('private addresses', () => {
  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '192.0.0.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::a00:1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '2001::1',
    'not an address',
    '',
  ])('has %s', (address) => {
    expect(isPrivateAddress(address)).toBe(true)
  })

  it.each([
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.1',
    '100.128.0.1',
    '192.0.1.1',
    '2606:4700::1111',
    '::ffff:8.8.8.8',
    '64:ff9b::808:808',
  ])('has not %s', (address) => {
    expect(isPrivateAddress(address)).toBe(false)
  })

  const check = (url: string, addresses: readonly string[], rules = {}) =>
    codeOf(() =>
      checkAddress(new URL(url), {
        allowPrivate: false,
        allowLoopback: false,
        resolve: async () => addresses,
        ...rules,
      }),
    )

  it('are refused by number, in any spelling, and by a name of which one address is private', async () => {
    for (const url of [
      'https://10.0.0.1/',
      'https://0x7f.1/',
      'https://2130706433/',
      'https://[::ffff:127.0.0.1]/',
      'https://localhost/',
      'https://a.localhost/',
    ])
      expect(await check(url, [])).not.toBe('accepted')
    expect(await check('https://idp.example/', ['8.8.8.8', '127.0.0.1'])).toContain('allowPrivate')
    expect(await check('https://idp.example/', ['8.8.8.8'])).toBe('accepted')
    expect(await check('https://idp.example/', ['10.0.0.1'], { allowPrivate: true })).toBe('accepted')
  })

  it('are not reached by a name that the system resolves to one', async () => {
    const { hostname } = await import('node:os')
    const { lookup } = await import('node:dns/promises')
    const host = await lookup(hostname()).then(
      ({ address }) => (isPrivateAddress(address) ? hostname() : null),
      () => null,
    )
    const auth = createAuth({
      issuers: [
        { issuer: 'https://idp.example', audience: 'api', jwks: `https://${host ?? 'ip6-localhost'}/jwks` },
      ],
      clock: stoppedClock(),
    })
    const error = await errorOf(() =>
      auth.verifyToken(signWith(rsa, { iss: 'https://idp.example', aud: 'api', sub: 'a', exp: NOW + 9 })),
    )
    expect(error).toMatchObject({ code: 'issuer_unavailable' })
    expect(reasonsOf(error)).toMatch(
      /address of a private network|has no address \(ENOTFOUND\): behind a proxy/,
    )
  })

  it('are not reached by the metadata of an issuer elsewhere', async () => {
    const trap = await startTrap()
    const issuer = 'https://idp.example'
    const auth = createAuth({
      clock: stoppedClock(),
      issuers: [
        {
          issuer,
          audience: 'api',
          fetch: async (input) => {
            if (String(input).includes('well-known')) return Response.json({ issuer, jwks_uri: trap.url })
            return fetch(input)
          },
        },
      ],
    })
    const error = await errorOf(() => auth.ready())
    expect(reasonsOf(error)).toContain('is this machine, and the issuer is not')
    expect(trap.hits()).toBe(0)
  })
})
