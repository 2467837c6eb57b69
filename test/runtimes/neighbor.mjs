// The services that tests on other runtimes call: an identity provider with a key set, metadata and
// introspection; a service that has the session store; and one that signs. In the process of the
// run, on Node, so that a runtime is seen with what it did not make itself.
import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:http'
import { toNodeHandler } from '../../dist/esm/adapters/node.js'
import { createAuth, createKeyRing, generateKey } from '../../dist/esm/index.js'
import { authRoutes } from '../../dist/esm/routes.js'
import { memoryStore } from '../../dist/esm/stores/memory.js'

export const CLIENT = { id: 'orders', secret: 's3cret: +%' }

const PAIRS = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
}
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
async function readBody(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A token of the identity provider, with changes. */
function issue(issuer, alg, changes) {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: issuer, sub: 'user-1', aud: 'api', iat: now, exp: now + 600, scope: 'orders:read' }
  const input = `${encode({ alg, kid: changes.kid ?? alg, typ: 'at+jwt' })}.${encode({ ...claims, ...changes })}`
  const key = { key: PAIRS[alg].privateKey, dsaEncoding: 'ieee-p1363' }
  return `${input}.${sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(input), key).toString('base64url')}`
}

/** What the identity provider responds, by path. */
function createProvider(origin, hits) {
  const key = generateKey('ES256')
  const handlers = {
    '/.well-known/openid-configuration': () => ({
      issuer: origin,
      jwks_uri: `${origin}/jwks`,
      introspection_endpoint: `${origin}/introspect`,
    }),
    '/jwks': () => ({
      keys: Object.entries(PAIRS).map(([alg, { publicKey }]) => ({
        ...publicKey.export({ format: 'jwk' }),
        alg,
        kid: alg,
        use: 'sig',
      })),
    }),
    '/slow/jwks': slow(() => handlers['/jwks']()),
    '/slow/introspect': slow((...args) => handlers['/introspect'](...args)),
    '/slow/keys': slow(() => ({ keys: [key] })),
    '/token': ({ alg, ...changes }) => ({ token: issue(origin, alg, changes) }),
    '/introspect': (_query, body) => {
      const token = new URLSearchParams(body.toString()).get('token')
      return token === 'opaque-good'
        ? { active: true, iss: origin, sub: 'user-2', aud: 'api', exp: Math.floor(Date.now() / 1000) + 600 }
        : { active: false }
    },
    '/hits': ({ of }) => ({ hits: hits.get(of) ?? 0 }),
    '/sign': (_query, body) => ({
      signature: sign('sha256', body, PAIRS.ES256.privateKey).toString('base64'),
    }),
    '/sign-key': () => PAIRS.ES256.publicKey.export({ format: 'jwk' }),
  }
  return handlers
}

/** A handler that takes its time. */
function slow(handler) {
  return async (...args) => {
    await new Promise((resolve) => setTimeout(resolve, 300))
    return handler(...args)
  }
}

/** The service that has the session store, and signs users in. */
function createOrigin() {
  const auth = createAuth({
    keys: createKeyRing({ signing: generateKey('ES256') }),
    issuer: 'https://auth.example',
    audience: 'api',
    sessions: { store: memoryStore() },
  })
  const handle = authRoutes(auth, {
    verifyCredentials: () => null,
    throttle: false,
    verifyClient: ({ id, secret }) => id === CLIENT.id && secret === CLIENT.secret,
  })
  return {
    auth,
    routes: toNodeHandler(handle),
    '/sessions/start': ({ sub }) => auth.sessions.start(sub),
    '/sessions/end-all': async ({ sub }) => ({ ended: await auth.sessions.endAll(sub) }),
    '/sessions/jwks': () => auth.jwks(),
  }
}

/** Starts them at one free port. */
export async function startNeighbor() {
  const hits = new Map()
  const origin = createOrigin()
  const handlers = { ...origin }
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost')
    hits.set(pathname, (hits.get(pathname) ?? 0) + 1)
    const handler = handlers[pathname]
    if (handler === undefined) return origin.routes(request, response)
    const result = await handler(Object.fromEntries(searchParams), await readBody(request))
    response.setHeader('content-type', 'application/json').end(JSON.stringify(result))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${server.address().port}`
  Object.assign(handlers, createProvider(url, hits))
  return {
    url,
    async close() {
      await origin.auth.close()
      server.closeAllConnections()
      server.close()
    },
  }
}
