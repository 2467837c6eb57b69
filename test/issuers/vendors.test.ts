/**
 * Keys and access tokens in the forms of Keycloak, Auth0, Entra ID, Cognito and Google: made here, after what they publish. Each
 * is accepted, mapped as the guide says, and rotated without a restart.
 */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createAuth, type IssuerOptions } from '../../src/index.ts'
import { codeOf, NOW, stoppedClock } from '../token/forge.ts'
import { makeKey, type ProviderKey, signWith } from './provider.ts'

type Jwk = Readonly<Record<string, unknown>>
type Claims = Readonly<Record<string, unknown>>

/** What stands in for a certificate: nothing reads it. */
const CERTIFICATE = Buffer.from('a certificate, which nothing here reads').toString('base64')
const SHA1 = createHash('sha1').update(CERTIFICATE).digest('base64url')
const SHA256 = createHash('sha256').update(CERTIFICATE).digest('base64url')

interface Vendor {
  readonly issuer: string
  readonly options: Omit<IssuerOptions, 'issuer'>
  /** The key as it is published. */
  readonly publish: (key: ProviderKey) => Jwk
  /** What else is in the set. */
  readonly others?: readonly Jwk[]
  /** The header of a token beside `alg` and `kid`. */
  readonly header: (key: ProviderKey) => Claims
  readonly claims: Claims
  /** Tokens of the same issuer that are no access tokens for this service, as changes of the claims. */
  readonly wrong: readonly Claims[]
  readonly user: Claims
}

const encryption = makeKey('RS256', 'for-encryption').jwk
const withoutAlg = ({ jwk: { alg: _, ...jwk } }: ProviderKey): Jwk => jwk

const VENDORS: Readonly<Record<string, Vendor>> = {
  Keycloak: {
    issuer: 'https://sso.example/realms/acme',
    options: {
      audience: 'orders',
      toUser: ({ realm_access, preferred_username }) => ({
        scopes: (realm_access as { roles: string[] }).roles,
        loginName: preferred_username as string,
      }),
    },
    publish: ({ jwk }) => ({ ...jwk, x5c: [CERTIFICATE], x5t: SHA1, 'x5t#S256': SHA256 }),
    others: [{ ...encryption, alg: 'RSA-OAEP', use: 'enc', x5c: [CERTIFICATE] }],
    header: () => ({ typ: 'JWT' }),
    claims: {
      auth_time: NOW - 10,
      jti: 'onrtac:8a3c',
      aud: ['orders', 'account'],
      sub: '2f0a5e1c-6f1d-4f0e-9a53-0d9b1b0f7a11',
      typ: 'Bearer',
      azp: 'shop',
      sid: '0f3c',
      acr: '1',
      nonce: 'from an older release',
      'allowed-origins': ['https://shop.example'],
      realm_access: { roles: ['offline_access', 'admin', 'uma_authorization'] },
      resource_access: { account: { roles: ['manage-account'] } },
      scope: 'openid email profile',
      email_verified: false,
      preferred_username: 'alice',
    },
    wrong: [{ typ: 'ID', aud: 'orders' }, { typ: 'Refresh', aud: 'orders' }, { aud: 'account' }],
    user: {
      sub: '2f0a5e1c-6f1d-4f0e-9a53-0d9b1b0f7a11',
      scopes: ['offline_access', 'admin', 'uma_authorization'],
      acr: '1',
      login_name: 'alice',
    },
  },
  Auth0: {
    issuer: 'https://acme.eu.auth0.com/',
    options: {
      audience: 'https://orders.example',
      toUser: ({ permissions }) => ({ scopes: permissions as string[] }),
    },
    publish: ({ jwk }) => ({ ...jwk, x5t: SHA1, x5c: [CERTIFICATE] }),
    header: () => ({ typ: 'JWT' }),
    claims: {
      sub: 'auth0|65f0c1d2e3',
      aud: ['https://orders.example', 'https://acme.eu.auth0.com/userinfo'],
      azp: 'Zx9yClient',
      scope: 'openid profile email',
      gty: 'password',
      permissions: ['read:orders', 'write:orders'],
      'https://orders.example/tenant': 'acme',
    },
    wrong: [{ aud: 'Zx9yClient', nonce: 'x' }, { aud: 'https://acme.eu.auth0.com/userinfo' }],
    user: { sub: 'auth0|65f0c1d2e3', scopes: ['read:orders', 'write:orders'] },
  },
  'Entra ID': {
    issuer: 'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0',
    options: {
      audience: '66666666-7777-8888-9999-000000000000',
      toUser: ({ oid, scp, roles }) => ({
        sub: oid as string,
        scopes: [...String(scp ?? '').split(' '), ...((roles as string[] | undefined) ?? [])],
      }),
    },
    // Without `alg`; the name of the key is the fingerprint of its certificate.
    publish: (key) => ({
      ...withoutAlg(key),
      x5t: key.kid,
      x5c: [CERTIFICATE],
      cloud_instance_name: 'microsoftonline.com',
      issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0',
    }),
    header: ({ kid }) => ({ typ: 'JWT', x5t: kid }),
    claims: {
      aud: '66666666-7777-8888-9999-000000000000',
      aio: 'ATQAy/8TAAAA',
      azp: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      azpacr: '1',
      oid: '0a1b2c3d-0000-4000-8000-000000000001',
      sub: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
      rh: '0.AXkA',
      scp: 'access_as_user Orders.Read',
      roles: ['Orders.Admin'],
      groups: ['0f0f0f0f-0000-4000-8000-00000000000a'],
      tid: '11111111-2222-3333-4444-555555555555',
      uti: 'kq4bX0',
      ver: '2.0',
    },
    wrong: [{ aud: '00000003-0000-0000-c000-000000000000' }, { nonce: 'x' }],
    user: {
      sub: '0a1b2c3d-0000-4000-8000-000000000001',
      scopes: ['access_as_user', 'Orders.Read', 'Orders.Admin'],
    },
  },
  Cognito: {
    issuer: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI',
    options: {
      clients: '1h57kf5cpq17m0eml12EXAMPLE',
      toUser: (claims) => ({ scopes: (claims['cognito:groups'] as string[] | undefined) ?? [] }),
    },
    publish: ({ jwk }) => jwk,
    header: () => ({ typ: undefined }),
    claims: {
      aud: undefined,
      sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      'cognito:groups': ['admins'],
      client_id: '1h57kf5cpq17m0eml12EXAMPLE',
      origin_jti: 'x',
      event_id: 'x',
      token_use: 'access',
      scope: 'aws.cognito.signin.user.admin',
      auth_time: NOW - 10,
      username: 'alice',
    },
    wrong: [
      { token_use: 'id', aud: '1h57kf5cpq17m0eml12EXAMPLE', client_id: undefined },
      { client_id: 'another' },
      { aud: 'orders' },
    ],
    user: { sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee', scopes: ['admins'], auth_time: NOW - 10 },
  },
  Google: {
    issuer: 'https://accounts.google.com',
    options: {
      audience: 'https://orders-abc123-ew.a.run.app',
      idTokens: true,
      toUser: ({ email, email_verified }) =>
        email_verified === true ? { sub: email as string, scopes: ['internal'] } : null,
    },
    publish: ({ jwk }) => jwk,
    header: () => ({ typ: 'JWT' }),
    claims: {
      aud: 'https://orders-abc123-ew.a.run.app',
      azp: '113774264463038321964',
      sub: '113774264463038321964',
      email: 'worker@acme.iam.gserviceaccount.com',
      email_verified: true,
      at_hash: 'x',
    },
    wrong: [{ aud: 'https://billing-abc123-ew.a.run.app' }, { email_verified: false }],
    user: { sub: 'worker@acme.iam.gserviceaccount.com', scopes: ['internal'] },
  },
}

const keys = [makeKey('RS256', 'first'), makeKey('RS256', 'second')] as const

describe.each(Object.entries(VENDORS))(
  '%s',
  (_, { issuer, options, publish, others = [], header, claims, wrong, user }) => {
    const token = (key: ProviderKey, changes: Claims = {}) =>
      signWith(
        key,
        { iss: issuer, iat: NOW - 5, nbf: NOW - 5, exp: NOW + 3600, ...claims, ...changes },
        header(key),
      )

    /** An application, with the issuer behind a `fetch` in place of the network. */
    function start() {
      const served = { keys: [publish(keys[0]), ...others] as readonly Jwk[] }
      const clock = stoppedClock()
      const jwksUri = `${new URL(issuer).origin}/keys`
      const auth = createAuth({
        clock,
        issuers: [
          {
            issuer,
            ...options,
            fetch: async (input) => {
              const url = String(input)
              if (url === jwksUri) return Response.json(served)
              if (url === `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
                return Response.json({ issuer, jwks_uri: jwksUri, response_types_supported: ['code'] })
              return new Response('', { status: 404 })
            },
          },
        ],
      })
      return { auth, clock, served }
    }

    it('is accepted, and its claims are a user', async () => {
      const { auth } = start()
      expect(await auth.verifyToken(token(keys[0]))).toMatchObject(user)
      expect(auth.issuers()).toMatchObject([{ status: 'current', keys: 1 }])
    })

    it('rotates its keys without a restart', async () => {
      const { auth, clock, served } = start()
      await auth.ready()
      served.keys = [publish(keys[0]), publish(keys[1]), ...others]
      clock.now += 60
      expect(await codeOf(() => auth.verifyToken(token(keys[1])))).toBe('accepted')
      expect(await codeOf(() => auth.verifyToken(token(keys[0])))).toBe('accepted')
      served.keys = [publish(keys[1]), ...others]
      clock.now += 3600
      const later = { exp: NOW + 7200 }
      expect(await codeOf(() => auth.verifyToken(token(keys[0], later)))).toBe('signature_invalid')
      expect(await codeOf(() => auth.verifyToken(token(keys[1], later)))).toBe('accepted')
    })

    it('sends other tokens, too, which are refused', async () => {
      const { auth } = start()
      for (const changes of wrong) {
        const code = await codeOf(() => auth.verifyToken(token(keys[0], changes)))
        expect(['token_malformed', 'audience_invalid', 'subject_unknown']).toContain(code)
      }
    })
  },
)
