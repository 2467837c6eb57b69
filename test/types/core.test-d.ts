/** The types of `createAuth` and of the payload: what is inferred, and what does not compile. */
import * as valibot from 'valibot'
import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import type { Auth, SubjectOf, TokenOf } from '../../src/auth/auth.ts'
import { createAuth } from '../../src/auth/create-auth.ts'
import type { RequestPort } from '../../src/http/request-port.ts'
import { authRoutes, type VerifiedUser, type VerifyCredentials } from '../../src/routes.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { actingAs } from '../../src/testing.ts'
import type { Claims, TokenPayload } from '../../src/token/token-payload.ts'

const secret = 'x'
const request = new Request('http://localhost')
declare const port: RequestPort
const Tenant = z.object({ tenant: z.string(), level: z.number().optional() })
interface TenantData {
  tenant: string
  level?: number | undefined
}

describe('custom claims', () => {
  it('are open without a schema', () => {
    const auth = createAuth({ secret })
    expectTypeOf(auth).toEqualTypeOf<Auth<Claims, unknown>>()
    expectTypeOf<TokenOf<typeof auth>>().toEqualTypeOf<TokenPayload<Claims>>()
    expectTypeOf<TokenOf<typeof auth>['data']>().toEqualTypeOf<Readonly<Record<string, unknown>>>()
    expectTypeOf(createAuth()).toEqualTypeOf<Auth<Claims, unknown>>()
  })

  it('are inferred from zod', () => {
    const auth = createAuth({ secret, claims: Tenant })
    expectTypeOf<TokenOf<typeof auth>['data']>().toEqualTypeOf<TenantData>()
    expectTypeOf(auth.createAccessToken).toBeCallableWith('u', { data: { tenant: 't' } })
  })

  it('are inferred from valibot', () => {
    const auth = createAuth({ secret, claims: valibot.object({ tenant: valibot.string() }) })
    expectTypeOf<TokenOf<typeof auth>['data']>().toEqualTypeOf<{ tenant: string }>()
  })

  it('are the output of a schema with defaults', () => {
    const auth = createAuth({ secret, claims: z.object({ role: z.string().default('user') }) })
    expectTypeOf<TokenOf<typeof auth>['data']>().toEqualTypeOf<{ role: string }>()
  })

  it('may be given as a type', () => {
    const auth = createAuth<{ tenant: string }>({ secret })
    expectTypeOf<TokenOf<typeof auth>['data']>().toEqualTypeOf<{ tenant: string }>()
  })

  it('of a transforming schema do not compile: the output must be valid input', () => {
    // @ts-expect-error the output is a number and the input a text
    createAuth({ secret, claims: z.object({ n: z.string().transform(Number) }) })
  })

  it('of another shape do not compile when issuing', async () => {
    const auth = createAuth({ secret, claims: Tenant })
    // @ts-expect-error tenant is text
    await auth.createAccessToken('u', { data: { tenant: 5 } })
    // @ts-expect-error tenant is missing
    await auth.createTokenPair('u', { data: {} })
  })
})

describe('data', () => {
  const auth = createAuth({ secret, claims: Tenant })
  const open = createAuth({ secret })
  const payload = {} as TokenOf<typeof auth>

  it('must be given with a subject where the schema requires a member', () => {
    // @ts-expect-error no data
    void auth.createAccessToken('u')
    // @ts-expect-error nor here
    void auth.createAccessToken('u', { fresh: true })
    // @ts-expect-error nor here
    void auth.createRefreshToken('u', {})
    // @ts-expect-error nor here
    void auth.createTokenPair('u')
    // @ts-expect-error nor here
    void auth.createTokenPair('u', { scopes: ['a'], access: { scopes: [] } })
    // @ts-expect-error nor here
    void auth.sessions.start('u', { provedAt: 1 })
    // @ts-expect-error undefined is none
    void auth.createTokenPair('u', { data: undefined })
    // @ts-expect-error who acts has them too
    void actingAs(auth, 'u')
    // @ts-expect-error nor here
    void actingAs(auth, 'u', { fresh: true })
    const data = { tenant: 't' }
    void auth.createAccessToken('u', { data })
    void auth.createRefreshToken('u', { data, expiresIn: '1d' })
    void auth.createTokenPair('u', { data, fresh: true })
    void auth.sessions.start('u', { data, ip: '192.0.2.1' })
    void actingAs(auth, 'u', { data, age: '5m' })
  })

  it('comes with a payload', () => {
    void auth.createAccessToken(payload)
    void auth.createAccessToken(payload, { fresh: true })
    void auth.createTokenPair(payload)
    void auth.sessions.start(payload, { ip: '192.0.2.1' })
    void auth.createAccessToken(payload, { data: { tenant: 'other' } })
    // @ts-expect-error tenant is text
    void auth.createAccessToken(payload, { data: { tenant: 5 } })
    const either = {} as string | typeof payload
    // @ts-expect-error it may be a subject
    void auth.createAccessToken(either)
    void auth.createAccessToken(either, { data: { tenant: 't' } })
  })

  it('must be in the user of a login, and in current rights', () => {
    // @ts-expect-error no data
    authRoutes(auth, { verifyCredentials: () => ({ subject: 'u' }) })
    // @ts-expect-error no data
    authRoutes(auth, { verifyCredentials: async () => ({ subject: 'u', scopes: ['a'] }) })
    // @ts-expect-error tenant is text
    authRoutes(auth, { verifyCredentials: () => ({ subject: 'u', data: { tenant: 5 } }) })
    authRoutes(auth, { verifyCredentials: () => ({ subject: 'u', data: { tenant: 't' } }) })
    authRoutes(auth, { verifyCredentials: async ({ username }) => (username === 'u' ? null : null) })
    const store = memoryStore()
    // @ts-expect-error no data
    createAuth({ secret, claims: Tenant, sessions: { store, rights: () => ({ scopes: [] }) } })
    createAuth({
      secret,
      claims: Tenant,
      sessions: { store, rights: (sub) => (sub === 'u' ? { data: { tenant: 't' } } : null) },
    })
    createAuth({ secret, sessions: { store, rights: async () => ({ scopes: ['a'] }) } })
  })

  it('stays optional where the schema requires nothing, and without a schema', () => {
    const optional = createAuth({ secret, claims: z.object({ level: z.number().optional() }) })
    void optional.createAccessToken('u')
    void optional.createTokenPair('u', { fresh: true })
    void optional.sessions.start('u')
    void actingAs(optional, 'u')
    authRoutes(optional, { verifyCredentials: () => ({ subject: 'u' }) })
    const none = createAuth({ secret, claims: Tenant.optional() })
    void none.createAccessToken('u')
    authRoutes(none, { verifyCredentials: () => ({ subject: 'u' }) })
    void open.createAccessToken('u')
    void open.createTokenPair('u', { data: { any: 1 } })
    void actingAs(open, 'u', { scopes: ['a'] })
    authRoutes(open, { verifyCredentials: () => ({ subject: 'u' }) })
    authRoutes(open, { verifyCredentials: () => ({ subject: 'u', data: { any: 1 } }) })
  })

  it('is what the schema takes, before it has filled in its defaults', () => {
    const role = createAuth({ secret, claims: z.object({ role: z.string().default('user') }) })
    void role.createAccessToken('u')
    void role.createAccessToken('u', { data: {} })
    authRoutes(role, { verifyCredentials: () => ({ subject: 'u', data: {} }) })
    expectTypeOf(role).toEqualTypeOf<Auth<{ role: string }, unknown, { role?: string | undefined }>>()
    const both = createAuth({
      secret,
      claims: z.object({ role: z.string().default('user'), team: z.string() }),
    })
    // @ts-expect-error no team
    void both.createAccessToken('u')
    void both.createAccessToken('u', { data: { team: 't' } })
  })

  it('lets functions take any application, or that of one type', () => {
    const all: readonly Auth[] = [auth, open]
    const one: Auth<TenantData> = auth
    const handler = (given: Auth) => given.createAccessToken('u')
    void handler(auth)
    const issue = (given: string | TokenPayload) => open.createAccessToken(given)
    const check = {} as VerifyCredentials<object>
    const checkClaims = {} as VerifyCredentials<Claims>
    authRoutes(open, { verifyCredentials: check })
    authRoutes(open, { verifyCredentials: checkClaims })
    return [all, one, issue]
  })
})

describe('authenticate', () => {
  const auth = createAuth({ secret, claims: Tenant })
  it('returns a payload, and null only with optional: true', () => {
    expectTypeOf(auth.authenticate(request)).resolves.toEqualTypeOf<TokenPayload<TenantData>>()
    expectTypeOf(auth.authenticate(port, { fresh: true })).resolves.toEqualTypeOf<TokenPayload<TenantData>>()
    expectTypeOf(auth.authenticate(request, { optional: false })).resolves.toEqualTypeOf<
      TokenPayload<TenantData>
    >()
    expectTypeOf(
      auth.authenticate(request, { optional: true }),
    ).resolves.toEqualTypeOf<TokenPayload<TenantData> | null>()
  })

  it('keeps that through prepare', () => {
    const optional = auth.prepare({ optional: true })
    expectTypeOf(
      auth.authenticate(request, optional),
    ).resolves.toEqualTypeOf<TokenPayload<TenantData> | null>()
  })

  it('and verifyToken always returns a payload', () => {
    expectTypeOf(auth.verifyToken('x', { maxAge: '5m' })).resolves.toEqualTypeOf<TokenPayload<TenantData>>()
  })
})

describe('what does not compile', () => {
  const auth = createAuth({ secret })
  it('a bare numeric string for a duration', () => {
    // @ts-expect-error '120' has no unit
    createAuth({ secret, access: { expiresIn: '120' } })
    // @ts-expect-error '5' has no unit
    void auth.createAccessToken('u', { expiresIn: '5' })
    // @ts-expect-error a unit that does not exist
    createAuth({ secret, leeway: '5y' })
    createAuth({ secret, refresh: { expiresIn: '1w' } })
    createAuth({ secret, access: { expiresIn: '15m' }, refresh: { expiresIn: { days: 20 } }, leeway: 5 })
  })

  it('fresh for a refresh token', () => {
    // @ts-expect-error a refresh token is never fresh
    void auth.createRefreshToken('u', { fresh: true })
    // @ts-expect-error nor is half of a pair
    void auth.createTokenPair('u', { refresh: { fresh: true } })
    void auth.createAccessToken('u', { fresh: true })
  })

  it('a misspelt option or requirement', () => {
    // @ts-expect-error misspelt
    createAuth({ secert: secret })
    // @ts-expect-error misspelt
    void auth.authenticate(request, { scope: ['a'] })
    // @ts-expect-error no such type
    void auth.verifyToken('x', { type: 'id' })
  })

  it('an unverified payload where a verified one is wanted (LEK-06)', () => {
    const unverified = auth.decodeUnverified('x')
    // @ts-expect-error nothing in it was verified
    void auth.createAccessToken(unverified)
    // @ts-expect-error nor in its claims
    void auth.createAccessToken(unverified.payload)
    // @ts-expect-error it has no sub of a known type
    const sub: string = unverified.payload.sub
    return sub
  })

  it('writing to a payload', async () => {
    const payload = await auth.verifyToken('x')
    // @ts-expect-error read-only
    payload.sub = 'root'
    // @ts-expect-error read-only
    payload.scopes.push('admin')
    // @ts-expect-error read-only
    payload.data['role'] = 'root'
  })

  it('a payload of another application, whose data are other data', async () => {
    const other = createAuth({ secret, claims: Tenant })
    const payload = await auth.verifyToken('x')
    // @ts-expect-error data may be anything here and must have a tenant there
    void other.createAccessToken(payload)
  })

  it('a list where hasScopes takes names', async () => {
    const payload = await auth.verifyToken('x')
    expectTypeOf(payload.hasScopes('a', 'b', { all: false })).toEqualTypeOf<boolean>()
    // @ts-expect-error a list is not one of them
    payload.hasScopes(['admin'])
    // @ts-expect-error nor is what may be missing
    payload.hasScopes(undefined)
  })
})

describe('the subject', () => {
  it('is inferred from the option, without null', () => {
    const auth = createAuth({ secret, subject: async ({ sub }) => (sub === 'x' ? { name: sub } : null) })
    expectTypeOf<SubjectOf<typeof auth>>().toEqualTypeOf<{ name: string }>()
    expectTypeOf(auth.loadSubject).returns.resolves.toEqualTypeOf<{ name: string }>()
  })

  it('and the payload of isRevoked and subject have the data of the schema', () => {
    createAuth({
      secret,
      claims: Tenant,
      isRevoked: ({ data }) => data.tenant === 'x',
      subject: ({ data }) => data.level ?? 0,
    })
  })
})

describe('what may be unknown', () => {
  it('is taken as undefined, as a payload or a header gives it', () => {
    const auth = createAuth({ secret })
    const payload = {} as TokenOf<typeof auth>
    const agent: string | undefined = undefined
    expectTypeOf(auth.sessions.endAll).toBeCallableWith(payload.sub, { except: payload.sid })
    expectTypeOf(auth.sessions.start).toBeCallableWith('u', { ip: agent, userAgent: agent })
    const { amr, acr } = payload
    expectTypeOf(auth.sessions.stepUp).toBeCallableWith(payload, async () => ({ amr, acr }))
    const user: VerifiedUser<object> = { subject: 'u', scopes: undefined, data: undefined, amr, acr }
    expectTypeOf(user.subject).toEqualTypeOf<string>()
  })
})
