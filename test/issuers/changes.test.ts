/** Issuers that change: a key that keeps its name, addresses that move, metadata that lie elsewhere. Each was reported to another library. */
import { describe, expect, it } from 'vitest'
import { createAuth, type IssuerOptions } from '../../src/index.ts'
import { codeOf, errorOf, NOW, stoppedClock } from '../token/forge.ts'
import { makeKey, type Provider, readForm, signWith, startProvider } from './provider.ts'

const first = makeKey('ES256', 'same')
const second = makeKey('ES256', 'same')

async function start(options: Partial<IssuerOptions> = {}, path = '') {
  const provider = await startProvider([first], path)
  const clock = stoppedClock()
  const auth = createAuth({ issuers: [{ issuer: provider.issuer, audience: 'api', ...options }], clock })
  return { provider, clock, auth, verify: (token: string) => codeOf(() => auth.verifyToken(token)) }
}

const countFetches = ({ hits }: Provider, path = '/jwks') => hits.get(path) ?? 0

/** The reasons of a refusal, from the outermost to the innermost. */
function reasonsOf(error: unknown): string {
  const reasons: string[] = []
  for (let at = error; at instanceof Error; at = at.cause) reasons.push(at.message)
  return reasons.join(' | ')
}

describe('a key that is replaced', () => {
  it.each([['same'], [undefined]])('is found although it has the name of the former one: %s', async (kid) => {
    const [before, after] = [
      { ...first, kid, jwk: { ...first.jwk, kid } },
      { ...second, kid, jwk: { ...second.jwk, kid } },
    ]
    const { provider, clock, verify } = await start()
    provider.keys = [before.jwk]
    expect(await verify(signWith(before, provider.claims()))).toBe('accepted')
    provider.keys = [after.jwk]
    clock.now += 11
    expect(await verify(signWith(after, provider.claims()))).toBe('accepted')
    expect(await verify(signWith(before, provider.claims()))).toBe('signature_invalid')
    expect(countFetches(provider)).toBe(2)
  })

  it('is looked for once in ten seconds, however many signatures are forged, and no other token waits', async () => {
    const { provider, clock, verify } = await start()
    const good = signWith(first, provider.claims())
    await verify(good)
    clock.now += 11
    let release: () => void = () => undefined
    provider.routes.set('/jwks', (_, response) => {
      release = () => response.end(JSON.stringify({ keys: provider.keys }))
    })
    const forged = Promise.all(
      Array.from({ length: 500 }, (_, i) => verify(signWith(second, provider.claims({ sub: `user-${i}` })))),
    )
    await expect.poll(() => countFetches(provider)).toBe(2)
    expect(await verify(signWith(first, provider.claims()))).toBe('accepted')
    release()
    expect(new Set(await forged)).toEqual(new Set(['signature_invalid']))
    for (let i = 0; i < 50; i++) await verify(signWith(second, provider.claims({ sub: `later-${i}` })))
    expect(countFetches(provider)).toBe(2)
  })

  it('is not looked for in keys that were given', async () => {
    const { provider, verify } = await start({ jwks: { keys: [first.jwk as never] } })
    expect(await verify(signWith(second, provider.claims()))).toBe('signature_invalid')
    expect(provider.hits.size).toBe(0)
  })

  it('is no reason for 503 while the issuer is away: a forged signature is 401', async () => {
    const { provider, clock, verify } = await start()
    await verify(signWith(first, provider.claims()))
    await provider.stop()
    clock.now += 11
    expect(await verify(signWith(second, provider.claims()))).toBe('signature_invalid')
    expect(await verify(signWith(first, provider.claims()))).toBe('accepted')
  })
})

describe('an address that moves', () => {
  const moveKeys = (provider: Provider) => {
    provider.routes.set('/.well-known/openid-configuration', (_, response) =>
      response.end(JSON.stringify({ issuer: provider.issuer, jwks_uri: `${provider.issuer}/moved` })),
    )
    provider.routes.set('/moved', (_, response) => response.end(JSON.stringify({ keys: [next.jwk] })))
  }
  const next = makeKey('ES256', 'next')

  it('is followed by the metadata within minutes, although the old address still responds', async () => {
    const { provider, clock, verify } = await start()
    await verify(signWith(first, provider.claims()))
    moveKeys(provider)
    clock.now += 301
    expect(await verify(signWith(next, provider.claims()))).toBe('accepted')
    expect(countFetches(provider)).toBe(1)
  })

  it('is asked for once in five minutes, and the last good metadata stay', async () => {
    const { provider, clock, verify } = await start()
    await verify(signWith(first, provider.claims()))
    provider.routes.set('/.well-known/openid-configuration', (_, response) =>
      response.writeHead(500).end('{}'),
    )
    for (let i = 0; i < 4; i++) {
      clock.now += 301
      // Made-up names, so that each fetches the set.
      await verify(signWith({ ...second, kid: `x${i}` }, provider.claims()))
      clock.now += 11
      await verify(signWith({ ...second, kid: `y${i}` }, provider.claims()))
    }
    expect(countFetches(provider)).toBe(9)
    expect(countFetches(provider, '/.well-known/openid-configuration')).toBe(5)
    expect(await verify(signWith(first, provider.claims()))).toBe('accepted')
  })

  it('of introspection likewise, and first questions at once ask for the metadata once', async () => {
    const introspection = { clientId: 'api', clientSecret: 'secret' }
    const { provider, clock, verify } = await start({ introspection })
    const asked: string[] = []
    const describeAt = (path: string) => {
      provider.routes.set('/.well-known/openid-configuration', (_, response) =>
        response.end(
          JSON.stringify({ issuer: provider.issuer, introspection_endpoint: provider.issuer + path }),
        ),
      )
      provider.routes.set(path, async (request, response) => {
        asked.push(`${path} ${(await readForm(request)).get('token')}`)
        response.end(JSON.stringify({ active: true, sub: 'a', exp: NOW + 9000 }))
      })
    }
    describeAt('/old')
    const codes = await Promise.all(Array.from({ length: 20 }, (_, i) => verify(`opaque-${i}`)))
    expect(new Set(codes)).toEqual(new Set(['accepted']))
    expect(countFetches(provider, '/.well-known/openid-configuration')).toBe(1)
    describeAt('/new')
    clock.now += 301
    await verify('opaque-new')
    expect(asked.at(-1)).toBe('/new opaque-new')
  })
})

describe('metadata', () => {
  const respondAt = (provider: Provider, path: string) =>
    provider.routes.set(path, (_, response) =>
      response.end(
        JSON.stringify({ issuer: provider.issuer, jwks_uri: `${new URL(provider.issuer).origin}/jwks` }),
      ),
    )

  it.each<[string, number, string]>([
    ['403 of a firewall', 403, '{}'],
    ['401', 401, '{}'],
    ['400', 400, '{"error":"invalid_request"}'],
    ['405', 405, ''],
    ['the page of a single-page application', 200, '<!doctype html><html></html>'],
  ])('of RFC 8414 are found where the path of OpenID Connect responds with %s', async (_, status, body) => {
    const { provider, verify } = await start()
    provider.routes.set('/.well-known/openid-configuration', (_request, response) =>
      response.writeHead(status).end(body),
    )
    respondAt(provider, '/.well-known/oauth-authorization-server')
    expect(await verify(signWith(first, provider.claims()))).toBe('accepted')
  })

  it('of OpenID Connect are found at the path of RFC 8414 section 5, too', async () => {
    const { provider, verify } = await start({}, '/tenant')
    provider.routes.set('/tenant/.well-known/openid-configuration', (_, response) =>
      response.writeHead(404).end(),
    )
    respondAt(provider, '/.well-known/openid-configuration/tenant')
    expect(await verify(signWith(first, provider.claims()))).toBe('accepted')
  })

  it('that are nowhere are told of by the response that says most', async () => {
    const { provider, auth } = await start()
    provider.routes.set('/.well-known/openid-configuration', (_, response) => response.writeHead(403).end())
    expect(reasonsOf(await errorOf(() => auth.ready()))).toContain('openid-configuration responded 403')
  })

  it('of a server that fails are not looked for elsewhere', async () => {
    const { provider, auth } = await start()
    for (const status of [500, 502, 302]) {
      provider.routes.set('/.well-known/openid-configuration', (_, response) =>
        response.writeHead(status).end(),
      )
      respondAt(provider, '/.well-known/oauth-authorization-server')
      await errorOf(() => auth.ready())
    }
    expect(countFetches(provider, '/.well-known/oauth-authorization-server')).toBe(0)
  })
})

describe('a response of an issuer', () => {
  it('comes from no cache of the platform: not the keys, not what is said of a token', async () => {
    // Node's types do not know `cache`.
    const inits: (RequestInit & { cache?: string })[] = []
    const spy: typeof fetch = (input, init = {}) => {
      inits.push(init)
      return fetch(input, init)
    }
    const { provider, verify } = await start({
      fetch: spy,
      introspection: { clientId: 'api', clientSecret: 'secret' },
    })
    provider.routes.set('/.well-known/openid-configuration', (_, response) =>
      response.end(
        JSON.stringify({
          issuer: provider.issuer,
          jwks_uri: `${provider.issuer}/jwks`,
          introspection_endpoint: `${provider.issuer}/introspect`,
        }),
      ),
    )
    provider.routes.set('/introspect', (_, response) => response.end('{"active":false}'))
    await verify(signWith(first, provider.claims()))
    await verify('opaque')
    expect(inits.map(({ method, cache }) => `${method} ${cache}`)).toEqual([
      'GET no-store',
      'GET no-store',
      'POST no-store',
    ])
  })
})
