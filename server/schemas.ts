/**
 * The request and response bodies as JSON Schema 2020-12, which OpenAPI 3.1 includes. The codes in
 * the error body come from the library's table of errors and from the server's own.
 */
import { ERRORS } from 'tokenwright'
import { LABEL_MAX } from './account-routes.ts'
import { HTTP_ERRORS } from './error-responses.ts'
import { PASSWORD_MAX_BYTES, PASSWORD_MIN_BYTES } from './passwords.ts'
import { USERNAME_MAX } from './users.ts'

/** A part of a JSON document. */
export type Json = Readonly<Record<string, unknown>>

/** An object with these members. All are required except those in `optional`. */
function object(properties: Json, optional: readonly string[] = []): Json {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', properties, required }
}

/** One of these schemas. */
function oneOf(...names: readonly string[]): Json {
  return { oneOf: names.map((name) => ({ $ref: `#/components/schemas/${name}` })) }
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

const EXPIRES_IN = seconds('Lifetime of the access token')
const TOKEN_TYPE = { type: 'string', const: 'bearer' }
const DELIVERY = text('Where the tokens go', { enum: ['body', 'cookie'], default: 'body' })
const REMEMBER: Json = {
  type: 'boolean',
  default: true,
  description: 'With false the cookies end with the browser, and the session ends within a day',
}
const USERNAME = text('The name of the user', { maxLength: USERNAME_MAX, examples: ['test'] })
const PASSWORD = text(`The password, at most ${PASSWORD_MAX_BYTES} bytes of UTF-8`, {
  format: 'password',
  examples: ['test'],
})

/** What is wrong with the server. */
const PROBLEMS: Json = {
  type: 'array',
  items: object({
    part: text('What it is about', { enum: ['store', 'feed', 'keys', 'issuers', 'users'] }),
    severity: text('An error makes requests fail, a warning does not', { enum: ['error', 'warning'] }),
    code: text('For programs', { examples: ['READONLY'] }),
    reason: text('For people', { examples: ['it is a read-only replica'] }),
  }),
}

const CHOICES = { delivery: DELIVERY, remember: REMEMBER }
const CODE = text('A code of the authenticator application, or a recovery code', { examples: ['123456'] })
const CONTINUATION = text('The `continuation` of the response with `proof_required`')
const PASSKEY: Json = {
  passkey: { type: 'object', description: 'What the browser returned, as JSON' },
  challenge: text('The `challenge` of the response that began it'),
}

const ACCESS_TOKEN = text('A JSON Web Token of type `access`')
const REFRESH_TOKEN = text('A JSON Web Token of type `refresh`')

/** The entries of `components.schemas`. */
export const SCHEMAS: Readonly<Record<string, Json>> = {
  Login: oneOf('PasswordLogin', 'PasskeyLogin', 'CodeLogin'),
  PasswordLogin: object({ username: USERNAME, password: PASSWORD, ...CHOICES }, Object.keys(CHOICES)),
  PasskeyLogin: object({ ...PASSKEY, ...CHOICES }, Object.keys(CHOICES)),
  CodeLogin: object({ code: CODE, continuation: CONTINUATION, delivery: DELIVERY }, ['delivery']),
  StepUp: oneOf('VerifyPassword', 'PasskeyProof', 'Code', 'ContinuedCode'),
  PasskeyProof: object(PASSKEY),
  Code: object({ code: CODE }),
  ContinuedCode: object({ code: CODE, continuation: CONTINUATION }),
  Refresh: object({ refresh_token: REFRESH_TOKEN }),
  VerifyPassword: object({ password: PASSWORD, username: USERNAME }, ['username']),
  NewPassword: object({
    new_password: text(`The new password, ${PASSWORD_MIN_BYTES} to ${PASSWORD_MAX_BYTES} bytes of UTF-8`, {
      format: 'password',
    }),
  }),
  Ceremony: object({
    options: { type: 'object', description: 'Options of WebAuthn, as JSON' },
    challenge: text('Send it back with what the browser returns'),
  }),
  Account: object({
    passkeys: { type: 'array', items: { $ref: '#/components/schemas/Passkey' } },
    second_factor: object({
      on: { type: 'boolean', description: 'Whether a login by password asks for a code' },
      recovery_codes: { type: 'integer', description: 'How many recovery codes are left' },
    }),
    step_up: {
      type: 'array',
      items: text('A way to step up', { enum: ['passkey', 'code', 'password'] }),
    },
  }),
  Passkey: object({
    id: text('The ID of the credential'),
    user_agent: text('The user agent that added it'),
    created_at: moment('When it was added'),
    last_used_at: moment('When it was last used'),
  }),
  SecondFactorKey: object({
    secret: text('The key, in base32'),
    uri: text('The same for authenticator applications'),
    qr: { type: 'array', items: text('One row of the QR code, a 0 or 1 for each square') },
  }),
  RecoveryCodes: object({
    recovery_codes: { type: 'array', items: text('Good for one use, in place of a code') },
  }),
  DeviceName: object({
    label: orNull(text(`The name, at most ${LABEL_MAX} characters`, { maxLength: LABEL_MAX })),
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
        csrf_token: text('Send it in the `X-CSRF-Token` header of requests that change something'),
        fresh: { type: 'boolean', const: true, description: 'Only after a step-up' },
      },
      ['fresh'],
    ),
  },
  CurrentSession: object(
    {
      active: { type: 'boolean', description: 'Whether the request has a token that is good now' },
      session_id: text('The ID of its session'),
      csrf_token: text('The value for the `X-CSRF-Token` header, if the token is in a cookie'),
      expires_in: seconds('Rest of the life of the access token, if the request has one'),
      fresh: { type: 'boolean', description: 'Whether the access token is fresh, if there is one' },
      session: { $ref: '#/components/schemas/Session' },
    },
    ['session_id', 'csrf_token', 'expires_in', 'fresh', 'session'],
  ),
  Ticket: object({
    ticket: text('For the query parameter `ticket` of a WebSocket URL'),
    expires_in: { type: 'integer', minimum: 1, maximum: 30, description: 'How long it works, in seconds' },
  }),
  ShownToken: object({
    header: text('The JOSE header, in base64url'),
    claims: text('The claims, in base64url'),
    freshness: seconds('How long a token stays fresh after a login or step-up'),
    now: { type: 'number', description: 'The time of the server, epoch seconds' },
  }),
  Message: object({ message: { type: 'string' } }),
  JsonWebKeySet: object({ keys: { type: 'array', items: { type: 'object' } } }),
  SessionList: object({ sessions: { type: 'array', items: { $ref: '#/components/schemas/Session' } } }),
  Session: object({
    id: text('The ID of the session'),
    current: { type: 'boolean', description: 'Whether the token of the request belongs to this session' },
    label: orNull(text('What the user calls it')),
    created_at: moment('When the user signed in'),
    last_used_at: moment('The last login, step-up, or refresh that issued a new refresh token'),
    expires_at: moment('When it ends if it is not used before'),
    auth_time: orNull(moment('When the user last authenticated')),
    ip: orNull(text('The IP address at sign-in')),
    user_agent: orNull(text('The user agent at sign-in')),
    last_ip: orNull(text('The IP address of the first refresh of the hour in which it was last used')),
    last_user_agent: orNull(text('The user agent of that refresh')),
  }),
  Alive: object({ status: { type: 'string', const: 'ok' } }),
  Ready: object({
    status: { type: 'string', enum: ['ok', 'starting', 'stopping', 'unavailable'] },
    problems: PROBLEMS,
  }),
  Health: object({
    status: { type: 'string', enum: ['ok', 'unavailable'] },
    problems: PROBLEMS,
    access: seconds('Lifetime of an access token'),
    freshness: seconds('How long a token stays fresh after a login or step-up'),
    overlap: seconds('How long the previous refresh token still works after a rotation'),
    demo: { type: 'boolean', description: 'Whether the demo users can sign in' },
    users: text('The state of the user database', { enum: ['ok', 'unavailable'] }),
    store: object({
      kind: text('What keeps the sessions', { examples: ['sqlite', 'postgres', 'mysql', 'redis'] }),
      ok: { type: 'boolean', description: 'Whether it takes writes' },
      caughtUp: { type: 'boolean', description: 'Whether this process knows all revocations' },
      age: orNull({ type: 'number', description: 'How old that knowledge is, in seconds' }),
      entries: { type: 'integer', description: 'How many revocations this process remembers' },
    }),
  }),
  Error: object(
    {
      message: text('For people to read'),
      error_type: text('The name of the error, as in AuthX'),
      code: text('For programs. Stable.', {
        enum: [...Object.keys(ERRORS), ...Object.values(HTTP_ERRORS).map(({ code }) => code)],
      }),
      error: text('The OAuth 2.0 error code (RFC 6750 section 3.1, RFC 9470 section 3), if there is one'),
      retry_after: seconds('When to try again, with `rate_limited`'),
      next: { type: 'object', description: 'What proves more, with `proof_required`' },
      continuation: text('Send it with the next proof, with `proof_required`'),
    },
    ['error', 'retry_after', 'next', 'continuation'],
  ),
}
