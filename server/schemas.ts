/**
 * The shapes of bodies and answers, as JSON Schema (OpenAPI 3.1 takes draft 2020-12 as it is). The
 * error body's codes come from the library's one table of errors and from the server's own
 * refusals.
 */
import { ERRORS } from 'tokenwright'
import { PASSWORD_MAX_BYTES, PASSWORD_MIN_BYTES } from './passwords.ts'
import { REFUSALS } from './refusals.ts'
import { USERNAME_MAX } from './users.ts'

/** A part of a JSON document. */
export type Json = Readonly<Record<string, unknown>>

/** An object with these members, all of them required but those that are named as optional. */
function object(properties: Json, optional: readonly string[] = []): Json {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', properties, required }
}

const text = (description: string, rest: Json = {}): Json => ({ type: 'string', description, ...rest })
const seconds = (description: string): Json => ({
  type: 'integer',
  description: `${description}, in seconds`,
})

const moment = (description: string): Json => ({
  type: 'integer',
  description: `${description}, epoch seconds`,
})
const orNull = ({ type, ...rest }: Json): Json => ({ type: [type, 'null'], ...rest })

const EXPIRES_IN = seconds('Life of the access token')
const TOKEN_TYPE = { type: 'string', const: 'bearer' }
const DELIVERY = text('How the tokens are handed over', { enum: ['body', 'cookie'], default: 'body' })
const USERNAME = text('The name of the user', { maxLength: USERNAME_MAX, examples: ['test'] })
const PASSWORD = text(`The password, at most ${PASSWORD_MAX_BYTES} bytes of UTF-8`, {
  format: 'password',
  examples: ['test'],
})

const ACCESS_TOKEN = text('A JSON Web Token of type `access`')
const REFRESH_TOKEN = text('A JSON Web Token of type `refresh`')

/** What stands under `components.schemas`, by name. */
export const SCHEMAS: Readonly<Record<string, Json>> = {
  Login: object({ username: USERNAME, password: PASSWORD, delivery: DELIVERY }, ['delivery']),
  Refresh: object({ refresh_token: REFRESH_TOKEN }),
  VerifyPassword: object({ password: PASSWORD, username: USERNAME }, ['username']),
  NewPassword: object({
    new_password: text(`The new password, ${PASSWORD_MIN_BYTES} to ${PASSWORD_MAX_BYTES} bytes of UTF-8`, {
      format: 'password',
    }),
  }),
  TokenPair: object({
    access_token: ACCESS_TOKEN,
    refresh_token: REFRESH_TOKEN,
    token_type: TOKEN_TYPE,
    expires_in: EXPIRES_IN,
  }),
  FreshTokenPair: object({
    access_token: ACCESS_TOKEN,
    refresh_token: REFRESH_TOKEN,
    token_type: TOKEN_TYPE,
    fresh: { type: 'boolean', const: true },
    expires_in: EXPIRES_IN,
  }),
  CookieDelivery: {
    description: 'The tokens themselves are in `Set-Cookie`.',
    ...object(
      {
        token_type: TOKEN_TYPE,
        expires_in: EXPIRES_IN,
        csrf_token: text('To be repeated in the `X-CSRF-Token` header of requests that change something'),
        fresh: { type: 'boolean', const: true, description: 'After a step-up only' },
      },
      ['fresh'],
    ),
  },
  Ticket: object({
    ticket: text('For the query parameter `ticket` of a WebSocket'),
    expires_in: {
      type: 'integer',
      minimum: 1,
      maximum: 30,
      description: 'For how many seconds it can be used',
    },
  }),
  Message: object({ message: { type: 'string' } }),
  JsonWebKeySet: object({ keys: { type: 'array', items: { type: 'object' } } }),
  SessionList: object({ sessions: { type: 'array', items: { $ref: '#/components/schemas/Session' } } }),
  Session: object({
    id: text('The session'),
    current: { type: 'boolean', description: 'Whether the request came with a token of this session' },
    created_at: moment('The login'),
    last_used_at: moment('The last login, refresh with a new refresh token, or step-up'),
    expires_at: moment('When it ends if nobody uses it'),
    auth_time: orNull(moment('When the password was last checked')),
    ip: orNull(text('The address at the login')),
    user_agent: orNull(text('The user agent at the login')),
  }),
  Health: object({
    status: { type: 'string', enum: ['ok', 'unavailable'] },
    version: { type: 'string' },
    access: seconds('Life of an access token'),
    freshness: seconds('How long a token stays fresh after a login'),
    overlap: seconds('How long the refresh token before the current one stays good after a rotation'),
    demo: { type: 'boolean', description: 'Whether there are demo users to sign in with' },
    users: text('The state of the user database', { enum: ['ok', 'unavailable'] }),
    store: object({
      kind: text('What keeps the sessions', { examples: ['sqlite', 'postgres', 'mysql', 'redis'] }),
      ok: { type: 'boolean', description: 'Whether it answers' },
      caughtUp: { type: 'boolean', description: 'Whether this process knows of all revocations' },
      age: orNull({ type: 'number', description: 'How old that knowledge is, in seconds' }),
      entries: { type: 'integer', description: 'How many revocations it remembers' },
    }),
  }),
  Error: object(
    {
      message: text('For people'),
      error_type: text('The name of the error as AuthX has it'),
      code: text('For programs; stable', {
        enum: [...Object.keys(ERRORS), ...Object.values(REFUSALS).map(({ code }) => code)],
      }),
      error: text('The OAuth 2.0 error word (RFC 6750 section 3.1, RFC 9470 section 3), where there is one'),
      retry_after: seconds('When to try again, with `rate_limited`'),
    },
    ['error', 'retry_after'],
  ),
}
