/** An issuer on this machine: a real HTTP server with metadata and a key set, and tokens that are signed by `node:crypto` directly. */
import { constants, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { encode, NOW } from '../token/forge.ts'

/** A key pair of an issuer, and its algorithm. */
export interface ProviderKey {
  readonly kid: string | undefined
  readonly alg: string
  readonly privateKey: KeyObject
  /** The public half as the issuer publishes it. */
  readonly jwk: Readonly<Record<string, unknown>>
}

/** Makes a key. RSA keys are of 2048 bits, for speed. */
export function makeKey(alg: string, kid: string | undefined = `${alg}-${randomUUID()}`): ProviderKey {
  const { privateKey, publicKey } = makePair(alg)
  const bare = publicKey.export({ format: 'jwk' })
  return { kid, alg, privateKey, jwk: { ...bare, ...(kid !== undefined && { kid }), alg, use: 'sig' } }
}

function makePair(alg: string): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519')
  if (alg.startsWith('ES')) {
    const namedCurve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg] ?? ''
    return generateKeyPairSync('ec', { namedCurve })
  }
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

/** Signs any claims, with any header. */
export function signWith(
  { alg, kid, privateKey }: ProviderKey,
  claims: unknown,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const members = { alg, ...(kid !== undefined && { kid }), typ: 'at+jwt', ...header }
  const input = `${encode(members)}.${encode(claims)}`
  const hash = alg === 'EdDSA' ? null : `sha${alg.slice(2)}`
  const options = alg.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : alg.startsWith('ES')
      ? { dsaEncoding: 'ieee-p1363' as const }
      : {}
  return `${input}.${sign(hash, Buffer.from(input), { key: privateKey, ...options }).toString('base64url')}`
}

/** An issuer on this machine. */
export interface Provider {
  /** Its name, and the base of its addresses. */
  readonly issuer: string
  /** The keys that it publishes now. */
  keys: readonly Readonly<Record<string, unknown>>[]
  /** Further headers of the key set. */
  headers: Readonly<Record<string, string>>
  /** Replaces the responses to a path while it is there. */
  readonly routes: Map<string, RequestListener>
  /** How often each path was asked for. */
  readonly hits: Map<string, number>
  /** Stops it: nobody listens any more. */
  stop(): Promise<void>
  /** Starts it again at the same port. */
  restart(): Promise<void>
  /** The claims of a sound access token, with changes; a member that is undefined is left out. */
  claims(changes?: Readonly<Record<string, unknown>>): Record<string, unknown>
}

const JWKS_PATH = '/jwks'

/** Starts an issuer with these keys. It stops with the test. */
export async function startProvider(keys: readonly ProviderKey[], path = ''): Promise<Provider> {
  const hits = new Map<string, number>()
  const routes = new Map<string, RequestListener>()
  const listener: RequestListener = (request, response) => {
    const target = request.url ?? ''
    hits.set(target, (hits.get(target) ?? 0) + 1)
    const route = routes.get(target)
    if (route !== undefined) return route(request, response)
    if (target === JWKS_PATH) {
      response.writeHead(200, { 'content-type': 'application/json', ...provider.headers })
      return response.end(JSON.stringify({ keys: provider.keys }))
    }
    if (target === `${path}/.well-known/openid-configuration`) {
      response.writeHead(200, { 'content-type': 'application/json' })
      return response.end(JSON.stringify({ issuer: provider.issuer, jwks_uri: `${origin}${JWKS_PATH}` }))
    }
    response.writeHead(404).end()
  }
  let server = await listen(listener, 0)
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  onTestFinished(() => void stop(server))
  const provider: Provider = {
    issuer: origin + path,
    keys: keys.map(({ jwk }) => jwk),
    headers: {},
    routes,
    hits,
    stop: () => stop(server),
    async restart() {
      server = await listen(listener, port)
    },
    claims: (changes = {}) => ({
      iss: provider.issuer,
      sub: 'user-1',
      aud: 'api',
      client_id: 'app',
      jti: randomUUID(),
      iat: NOW,
      exp: NOW + 3600,
      ...changes,
    }),
  }
  return provider
}

function listen(listener: RequestListener, port: number): Promise<Server> {
  const server = createServer(listener)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

/** Reads the body of a request. */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = ''
  for await (const chunk of request) text += chunk
  return new URLSearchParams(text)
}
