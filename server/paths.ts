/**
 * The routes of the API's description, one operation each: what it asks of a token, what it takes
 * and every error code that it answers.
 */
import {
  ACCESS,
  answer,
  body,
  CREDENTIALS,
  CSRF,
  describe,
  REFRESH,
  SECURITY,
  SESSION,
  tokens,
} from './operations.ts'
import type { Json } from './schemas.ts'

/** The routes of `authRoutes` that give and take tokens. */
export const SIGN_IN: Json = {
  '/auth/login': {
    post: describe({
      id: 'login',
      tag: 'Sign-in',
      summary: 'Sign in. The access token is fresh.',
      security: SECURITY.none,
      body: body('Login'),
      answers: { 200: tokens('TokenPair') },
      codes: [...CREDENTIALS, 'csrf_mismatch', 'session_revoked', 'store_unavailable'],
    }),
  },
  '/auth/refresh': {
    post: describe({
      id: 'refresh',
      tag: 'Sign-in',
      summary:
        'New tokens for a refresh token. The access token is not fresh. The token before the current one is forgiven ' +
        'within the overlap; an older one ends the session.',
      security: SECURITY.refresh,
      body: body('Refresh', false),
      answers: { 200: tokens('TokenPair') },
      codes: [...REFRESH, ...CSRF, ...SESSION, 'refresh_reused'],
    }),
  },
  '/auth/verify-password': {
    post: describe({
      id: 'verifyPassword',
      tag: 'Sign-in',
      summary: 'Make the session fresh again by the password of the same user.',
      security: SECURITY.write,
      body: body('VerifyPassword'),
      answers: { 200: tokens('FreshTokenPair') },
      codes: [...ACCESS, ...CREDENTIALS, ...CSRF, ...SESSION, 'subject_mismatch'],
    }),
  },
  '/auth/ticket': {
    post: describe({
      id: 'ticket',
      tag: 'Sign-in',
      summary:
        'A ticket for the handshake of one WebSocket, in place of a token in its URL: it is used once, within half a minute.',
      security: SECURITY.write,
      answers: { 200: answer('The ticket', 'Ticket') },
      codes: [...ACCESS, ...CSRF],
    }),
  },
  '/auth/logout': {
    post: describe({
      id: 'logout',
      tag: 'Sign-in',
      summary: 'End the session and clear the cookies; also without a valid token.',
      security: SECURITY.logout,
      answers: { 204: { description: 'Signed out' } },
      codes: ['request_invalid', ...CSRF, 'store_unavailable'],
    }),
  },
  '/.well-known/jwks.json': {
    get: describe({
      id: 'jwks',
      tag: 'Sign-in',
      summary: 'The public keys that tokens can be verified with; none with a shared secret.',
      security: SECURITY.none,
      answers: { 200: answer('A JSON Web Key Set (RFC 7517)', 'JsonWebKeySet') },
    }),
  },
}

/** The routes of `authRoutes` for the user's own sessions. */
export const SESSIONS: Json = {
  '/auth/sessions': {
    get: describe({
      id: 'listSessions',
      tag: 'Sessions',
      summary: 'The live sessions of the user, newest login first, the current one marked.',
      security: SECURITY.read,
      answers: { 200: answer('The sessions', 'SessionList') },
      codes: ACCESS,
    }),
    delete: describe({
      id: 'endOtherSessions',
      tag: 'Sessions',
      summary: 'Ends all sessions of the user but the current one. Takes a fresh access token only.',
      security: SECURITY.write,
      answers: { 204: { description: 'They have ended' } },
      codes: [...ACCESS, 'fresh_token_required', ...CSRF],
    }),
  },
  '/auth/sessions/{id}': {
    delete: describe({
      id: 'endSession',
      tag: 'Sessions',
      summary: 'Ends one session of the user. Takes a fresh access token only.',
      security: SECURITY.write,
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
      answers: {
        204: { description: 'It has ended' },
        404: answer('The user has no such session', 'Error'),
      },
      codes: [...ACCESS, 'fresh_token_required', ...CSRF],
    }),
  },
}

/** One route for each kind of requirement. */
export const DEMO: Json = {
  '/protected': {
    get: describe({
      id: 'protected',
      tag: 'Demo',
      summary: 'Takes any valid access token.',
      security: SECURITY.read,
      answers: { 200: answer('You have access') },
      codes: ACCESS,
    }),
  },
  '/change-password': {
    post: describe({
      id: 'changePassword',
      tag: 'Demo',
      summary: 'Changes the password and ends the other sessions. Takes a fresh access token only.',
      security: SECURITY.write,
      body: body('NewPassword'),
      answers: { 200: answer('Password changed') },
      codes: [...ACCESS, 'fresh_token_required', 'subject_unknown', ...CSRF, 'rate_limited'],
    }),
  },
  '/sensitive_operation': {
    get: describe({
      id: 'sensitiveOperation',
      tag: 'Demo',
      summary: 'Takes a fresh access token only.',
      security: SECURITY.read,
      answers: { 200: answer('You have access to this sensitive operation') },
      codes: [...ACCESS, 'fresh_token_required'],
    }),
  },
  '/admin': {
    get: describe({
      id: 'admin',
      tag: 'Demo',
      summary: 'Takes an access token with the scope `admin:*`.',
      security: SECURITY.read,
      answers: { 200: answer('You have administrator access') },
      codes: [...ACCESS, 'scope_missing'],
    }),
  },
}

/** Files for browsers: what they are, and their media type. */
function file(id: string, summary: string, type: string): Json {
  const content = { [type]: {} }
  const answers = { 200: { description: summary, content }, 304: { description: 'Not modified' } }
  return { get: describe({ id, tag: 'Server', summary, security: SECURITY.none, answers }) }
}

/** Health, description and pages. */
export const SERVER: Json = {
  '/healthz': {
    get: describe({
      id: 'health',
      tag: 'Server',
      summary: 'Whether the server can work, and its settings.',
      security: SECURITY.none,
      answers: {
        200: answer('It can', 'Health'),
        503: answer('The user database or the session store does not answer', 'Health'),
      },
    }),
  },
  '/openapi.json': file('openapi', 'This document', 'application/json'),
  '/docs': file('docs', 'This document as a page', 'text/html'),
  '/': file('page', 'The web page', 'text/html'),
}
