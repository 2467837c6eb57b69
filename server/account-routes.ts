/**
 * The routes with which users look after their account: passkeys, the second factor, names of
 * devices, the password. What opens a new way in, or closes one, wants a fresh token.
 *
 * What is begun with a fresh token is finished with any token of the same user: a person may take
 * longer than a token is fresh, and what finishes it is known only to who began it.
 */
import type { Hono } from 'hono'
import { type Auth, AuthError, type Claims } from 'tokenwright'
import type { HonoGuards } from 'tokenwright/hono'
import { readBody } from 'tokenwright/routes'
import { encode } from 'uqr'
import type { Audit } from './audit.ts'
import { HTTP_ERRORS } from './error-responses.ts'
import type { Passkeys, Site } from './passkeys.ts'
import { isPassword, PASSWORD_MAX_BYTES, PASSWORD_MIN_BYTES } from './passwords.ts'
import type { Proofs } from './proofs.ts'
import type { SecondFactors } from './second-factor.ts'
import type { Users } from './users.ts'

/** The guards of an application. */
export type Guards = HonoGuards<Claims, unknown>

/** What the routes use. */
export interface AccountDependencies {
  readonly guard: Guards
  readonly users: Pick<Users, 'changePassword'>
  readonly passkeys: Passkeys
  readonly secondFactors: SecondFactors
  readonly proofs: Pick<Proofs, 'methodsOf'>
  readonly siteOf: (request: Request) => Site
  readonly audit: Pick<Audit, 'changed'>
}

const NO_STORE = { 'Cache-Control': 'no-store' }

/** The longest name of a device, in characters. */
export const LABEL_MAX = 60

/** Adds the routes. */
export function addAccountRoutes(app: Hono, auth: Auth, dependencies: AccountDependencies): void {
  addPasskeyRoutes(app, dependencies)
  addSecondFactorRoutes(app, dependencies)
  const { guard, users, passkeys, secondFactors, proofs, audit } = dependencies

  app.get('/account', guard.access(), async (context) => {
    const { sub } = context.var.auth
    const [known, second_factor, step_up] = await Promise.all([
      passkeys.list(sub),
      secondFactors.stateOf(sub),
      proofs.methodsOf(sub),
    ])
    return context.json({ passkeys: known, second_factor, step_up }, 200, NO_STORE)
  })
  app.patch('/account/devices/:id', guard.access(), async (context) => {
    const { label } = await readMembers(context.req.raw)
    if (label !== null && !isLabel(label))
      throw new AuthError('request_invalid', {
        message: `A name has 1 to ${LABEL_MAX} characters, without line breaks`,
      })
    const session = await auth.sessions.get(context.req.param('id'))
    if (session?.sub !== context.var.auth.sub) return context.json(HTTP_ERRORS[404], 404)
    await auth.sessions.update(session.sid, { label })
    return context.body(null, 204)
  })
  // The user has authenticated within a minute (OWASP ASVS 6.2.3). The whole window of fresh tokens
  // is too long: a stolen token would do.
  app.post('/change-password', guard.token({ fresh: true, maxAge: '1m' }), async (context) => {
    const { sub, sid = null } = context.var.auth
    const password = await readNewPassword(context.req.raw)
    // Signs out whoever used the old password: before the change, so that a store that is down
    // changes nothing, and after it, for a login that was under way.
    await auth.sessions.endAll(sub, { except: sid })
    await users.changePassword(sub, password)
    audit.changed(sub, 'password')
    await auth.sessions.endAll(sub, { except: sid })
    return context.json({ message: 'Password changed' })
  })
}

function addPasskeyRoutes(app: Hono, { guard, passkeys, siteOf, audit }: AccountDependencies): void {
  app.post('/passkeys/challenge', async (context) =>
    context.json(await passkeys.begin(siteOf(context.req.raw)), 200, NO_STORE),
  )
  app.post('/account/passkeys/options', guard.fresh(), async (context) => {
    const ceremony = await passkeys.beginToAdd(context.var.auth.sub, siteOf(context.req.raw))
    return context.json(ceremony, 200, NO_STORE)
  })
  app.post('/account/passkeys', guard.access(), async (context) => {
    const { sub } = context.var.auth
    const { passkey, challenge } = await readMembers(context.req.raw)
    const userAgent = context.req.header('user-agent') ?? ''
    await passkeys.add(sub, { passkey, challenge, userAgent }, siteOf(context.req.raw))
    audit.changed(sub, 'passkey added')
    return context.json({ message: 'Passkey added' }, 200, NO_STORE)
  })
  app.delete('/account/passkeys/:id', guard.fresh(), async (context) => {
    const { sub } = context.var.auth
    if (!(await passkeys.remove(sub, context.req.param('id')))) return context.json(HTTP_ERRORS[404], 404)
    audit.changed(sub, 'passkey removed')
    return context.body(null, 204)
  })
}

function addSecondFactorRoutes(app: Hono, { guard, secondFactors, audit }: AccountDependencies): void {
  app.post('/account/second-factor/setup', guard.fresh(), async (context) => {
    const { secret, uri } = await secondFactors.begin(context.var.auth.sub)
    return context.json({ secret, uri, qr: toRows(uri) }, 200, NO_STORE)
  })
  app.post('/account/second-factor', guard.access(), async (context) => {
    const { sub } = context.var.auth
    const { code } = await readMembers(context.req.raw)
    const recovery_codes = await secondFactors.confirm(sub, code)
    audit.changed(sub, 'second factor on')
    return context.json({ recovery_codes }, 200, NO_STORE)
  })
  app.delete('/account/second-factor', guard.fresh(), async (context) => {
    const { sub } = context.var.auth
    if (await secondFactors.remove(sub)) audit.changed(sub, 'second factor off')
    return context.body(null, 204)
  })
}

/** A QR code, a text of 0 and 1 for each row. */
function toRows(text: string): readonly string[] {
  return encode(text, { ecc: 'M', border: 0 }).data.map((row) => row.map(Number).join(''))
}

/** The members of a body. @throws {AuthError} `request_invalid` */
async function readMembers(request: Request): Promise<Readonly<Record<string, unknown>>> {
  const body = await readBody(request)
  if (body === undefined) throw new AuthError('request_invalid')
  return body
}

function isLabel(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.trim() !== '' &&
    value.length <= LABEL_MAX &&
    !/[\p{Cc}\p{Surrogate}]/u.test(value)
  )
}

async function readNewPassword(request: Request): Promise<string> {
  const { new_password } = (await readBody(request)) ?? {}
  if (isPassword(new_password, PASSWORD_MIN_BYTES)) return new_password
  throw new AuthError('request_invalid', {
    message: `The new password must be a text of ${PASSWORD_MIN_BYTES} to ${PASSWORD_MAX_BYTES} bytes`,
  })
}
