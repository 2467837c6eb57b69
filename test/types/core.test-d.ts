/** The types of `createAuth` and of the payload: what is inferred, and what does not compile. */
import * as valibot from 'valibot'
import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import type { Auth, SubjectOf, TokenOf } from '../../src/auth/auth.ts'
import { createAuth } from '../../src/auth/create-auth.ts'
import type { RequestPort } from '../../src/http/request-port.ts'
import type { VerifiedUser } from '../../src/routes.ts'
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
