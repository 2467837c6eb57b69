/**
 * Door `tokenwright/hono`: guards as Hono middleware (Hono 4). It makes three moves: fill the request port, call `authenticate`,
 * write the payload or the answer. Types come from the guard itself, so `c.var.auth` is typed on guarded routes and absent on others.
 */
import type { Context, MiddlewareHandler } from 'hono'
import type { Auth, Outcome } from '../auth.ts'
import { isAuthError } from '../errors.ts'
import {
  isAnnounced,
  peekBody,
  READ_BEFORE,
  refuseBody,
  TOKEN_BODY_LIMIT,
  toBodyMembers,
} from '../http/body.ts'
import { setsAnyOf } from '../http/cookies.ts'
import type { RequestPort } from '../http/request.ts'
import type { Requirement } from '../route.ts'
import type { TokenPayload } from '../token/payload.ts'

/** A middleware that puts the payload at `c.var.auth`. */
export type HonoGuard<P> = MiddlewareHandler<{ Variables: { auth: P } }>

/** A middleware that puts the payload at `c.var.auth` and the user at `c.var.subject`. */
export type HonoSubjectGuard<P, U> = MiddlewareHandler<{ Variables: { auth: P; subject: U } }>

/** How guards answer. */
export interface GuardOptions {
  /** Answer errors here, or throw the `AuthError` to the application's error handler. Default `'answer'`. */
  readonly errors?: 'answer' | 'throw'
}

/** The guards of one application. */
export interface HonoGuards<C, U> {
  /** Any valid access token. */
  access(): HonoGuard<TokenPayload<C>>
  /** A refresh token. */
  refresh(): HonoGuard<TokenPayload<C>>
  /** A fresh access token: the user authenticated no longer ago than `freshness.window`. */
  fresh(): HonoGuard<TokenPayload<C>>
  /** An access token that covers all of these scopes. */
  scopes(...scopes: readonly string[]): HonoGuard<TokenPayload<C>>
  /** A token that meets a requirement. */
  token<const R extends Requirement>(requirement: R): HonoGuard<Outcome<R, C>>
  /** A valid access token, and the user that the `subject` option loads for it. */
  subject(): HonoSubjectGuard<TokenPayload<C>, U>
  /** A valid access token or none; the payload is null for none. */
  optional(): HonoGuard<TokenPayload<C> | null>
}

/** Fills the request port. The body is read from a copy, so that the handler can still read it. */
function toPort(c: Context, setCookies: (lines: readonly string[]) => void): RequestPort {
  return {
    method: c.req.method,
    url: c.req.url,
    header: (name) => c.req.header(name),
    body: () => (c.req.raw.bodyUsed ? recallBody(c) : peekBody(c.req.raw, TOKEN_BODY_LIMIT)),
    setCookies,
  }
}

/** The body that a middleware before has read through Hono, which keeps it. */
async function recallBody({ req }: Context): Promise<Record<string, unknown> | undefined> {
  const contentType = req.header('content-type')
  if (!isAnnounced(contentType, req.header('content-length'), TOKEN_BODY_LIMIT)) return undefined
  const isForm = /form-urlencoded/i.test(contentType ?? '')
  const recalled: Promise<unknown> = isForm ? req.parseBody({ all: true }) : req.json()
  return toBodyMembers(contentType, await recalled.catch((cause: unknown) => refuseBody(READ_BEFORE, cause)))
}

/**
 * Makes the guards of one application.
 *
 * @throws {ConfigurationError} from a guard that is asked for something unfit, when the route is made
 *
 * @example
 * ```ts
 * import { Hono } from 'hono'
 * import { createAuth } from 'tokenwright'
 * import { guards } from 'tokenwright/hono'
 *
 * const auth = createAuth({ secret: process.env['AUTH_SECRET'] ?? '' })
 * const guard = guards(auth)
 * const app = new Hono()
 * app.get('/me', guard.access(), (c) => c.json({ sub: c.var.auth.sub }))
 * app.delete('/account', guard.fresh(), (c) => c.body(null, 204))
 * ```
 */
export function guards<C, U>(auth: Auth<C, U>, options: GuardOptions = {}): HonoGuards<C, U> {
  const throws = options.errors === 'throw'

  /** The types of what it sets are in the table of guards below. */
  function guard(
    requirement: Requirement,
    load?: (payload: TokenPayload<C>) => Promise<U>,
  ): MiddlewareHandler {
    const need = auth.prepare(requirement)
    return async (c, next) => {
      let renewed: readonly string[] = []
      try {
        const port = toPort(c, (lines) => {
          renewed = lines
        })
        const payload: TokenPayload<C> | null = await auth.authenticate(port, need)
        c.set('auth', payload)
        if (load !== undefined && payload !== null) c.set('subject', await load(payload))
      } catch (error) {
        if (throws || !isAuthError(error)) throw error
        const { status, headers, body } = auth.answer(error)
        return new Response(body, { status, headers })
      }
      await next()
      // A handler that has just set or cleared a token, such as logout, has the last word.
      if (renewed.length === 0 || setsAnyOf(c.res.headers.getSetCookie(), renewed)) return undefined
      for (const line of renewed) c.header('Set-Cookie', line, { append: true })
      return undefined
    }
  }

  return {
    access: () => guard({}),
    refresh: () => guard({ type: 'refresh' }),
    fresh: () => guard({ fresh: true }),
    scopes: (...scopes) => guard({ scopes }),
    token: (requirement) => guard(requirement),
    subject: () => guard({}, auth.loadSubject),
    optional: () => guard({ optional: true }),
  }
}
