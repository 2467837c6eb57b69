/**
 * The routes in the API's description, one operation each: what it requires of a token, its request
 * body, its responses and all its error codes.
 */
import {
  ACCESS,
  CREDENTIALS,
  CSRF,
  jsonResponse,
  operation,
  REFRESH,
  requestBody,
  SECURITY,
  SESSION,
  tokenResponse,
} from './operations.ts'
import type { Json } from './schemas.ts'

/** The routes of `authRoutes` that issue or end tokens. */
export const SIGN_IN: Json = {
  '/auth/login': {
    post: operation({
      id: 'login',
      tag: 'Sign-in',
      summary:
        'Sign in by a password or a passkey. The new access token is fresh. Where the user has ' +
        'switched on a second factor, a password gets `proof_required` with a continuation, and the ' +
        'next request brings it and a code.',
      security: SECURITY.none,
      body: requestBody('Login'),
      responses: { 200: tokenResponse('TokenPair') },
      codes: [...CREDENTIALS, 'subject_mismatch', 'csrf_mismatch', 'session_revoked', 'store_unavailable'],
    }),
  },
  '/auth/refresh': {
    post: operation({
      id: 'refresh',
      tag: 'Sign-in',
      summary:
        'Get new tokens for a refresh token. The new access token is not fresh. ' +
        'The previous refresh token still works during the overlap. An older one ends the session.',
      security: SECURITY.refresh,
      body: requestBody('Refresh', false),
      responses: { 200: tokenResponse('TokenPair') },
      codes: [...REFRESH, ...CSRF, ...SESSION, 'refresh_reused'],
    }),
  },
  '/auth/verify-password': {
    post: operation({
      id: 'verifyPassword',
      tag: 'Sign-in',
      summary: 'Get fresh tokens in the same session, with the password of the same user.',
      security: SECURITY.write,
      body: requestBody('VerifyPassword'),
      responses: { 200: tokenResponse('FreshTokenPair') },
      codes: [...ACCESS, ...CREDENTIALS, ...CSRF, ...SESSION, 'subject_mismatch'],
    }),
  },
  '/auth/step-up': {
    post: operation({
      id: 'stepUp',
      tag: 'Sign-in',
      summary:
        'Get fresh tokens in the same session, with a passkey, with a code of the second factor, or ' +
        'with the password. Where a second factor is on, the password alone is not enough.',
      security: SECURITY.write,
      body: requestBody('StepUp'),
      responses: { 200: tokenResponse('FreshTokenPair') },
      codes: [...ACCESS, ...CREDENTIALS, ...CSRF, ...SESSION, 'subject_mismatch'],
    }),
  },
  '/auth/ticket': {
    post: operation({
      id: 'ticket',
      tag: 'Sign-in',
      summary:
        'Get a ticket that opens one WebSocket, so that no token is in its URL. ' +
        'It works once, within 30 seconds.',
      security: SECURITY.write,
      responses: { 200: jsonResponse('The ticket', 'Ticket') },
      codes: [...ACCESS, ...CSRF],
    }),
  },
  '/auth/logout': {
    post: operation({
      id: 'logout',
      tag: 'Sign-in',
      summary: 'End the session and clear the cookies. Works without a valid token too.',
      security: SECURITY.logout,
      responses: { 204: { description: 'Signed out' } },
      codes: ['request_invalid', ...CSRF, 'store_unavailable'],
    }),
  },
  '/auth/session': {
    get: operation({
      id: 'currentSession',
      tag: 'Sign-in',
      summary:
        'See whether the tokens of the request are good, and of which session. Changes nothing. ' +
        'Works without a token too.',
      security: SECURITY.current,
      responses: { 200: jsonResponse('Whose tokens they are', 'CurrentSession') },
      codes: ['request_invalid', 'store_unavailable'],
    }),
  },
  '/.well-known/jwks.json': {
    get: operation({
      id: 'jwks',
      tag: 'Sign-in',
      summary: 'Get the public keys that verify tokens. The list is empty with a shared secret.',
      security: SECURITY.none,
      responses: { 200: jsonResponse('A JSON Web Key Set (RFC 7517)', 'JsonWebKeySet') },
    }),
  },
}

/** The routes of `authRoutes` for the user's sessions. */
export const SESSIONS: Json = {
  '/auth/sessions': {
    get: operation({
      id: 'listSessions',
      tag: 'Sessions',
      summary: 'List the active sessions of the user, the newest login first.',
      security: SECURITY.read,
      responses: { 200: jsonResponse('The sessions', 'SessionList') },
      codes: ACCESS,
    }),
    delete: operation({
      id: 'endOtherSessions',
      tag: 'Sessions',
      summary: 'End all sessions of the user except the current one. Needs a fresh access token.',
      security: SECURITY.write,
      responses: { 204: { description: 'The sessions have ended' } },
      codes: [...ACCESS, 'fresh_token_required', ...CSRF],
    }),
  },
  '/auth/sessions/{id}': {
    delete: operation({
      id: 'endSession',
      tag: 'Sessions',
      summary: 'End one session of the user. Needs a fresh access token.',
      security: SECURITY.write,
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
      responses: {
        204: { description: 'The session has ended' },
        404: jsonResponse('The user has no such session', 'Error'),
      },
      codes: [...ACCESS, 'fresh_token_required', ...CSRF],
    }),
  },
}

/** One route for each kind of requirement. */
export const DEMO: Json = {
  '/token': {
    get: operation({
      id: 'token',
      tag: 'Demo',
      summary: 'See the header and the claims of the access token, in base64url, without the signature.',
      security: SECURITY.read,
      responses: { 200: jsonResponse('The first two parts of the token', 'ShownToken') },
      codes: ACCESS,
    }),
  },
  '/protected': {
    get: operation({
      id: 'protected',
      tag: 'Demo',
      summary: 'Needs a valid access token, fresh or not.',
      security: SECURITY.read,
      responses: { 200: jsonResponse('You have access') },
      codes: ACCESS,
    }),
  },
  '/sensitive_operation': {
    get: operation({
      id: 'sensitiveOperation',
      tag: 'Demo',
      summary: 'Needs a fresh access token.',
      security: SECURITY.read,
      responses: { 200: jsonResponse('You have access to this sensitive operation') },
      codes: [...ACCESS, 'fresh_token_required'],
    }),
  },
  '/admin': {
    get: operation({
      id: 'admin',
      tag: 'Demo',
      summary: 'Needs an access token with the scope `admin:*`.',
      security: SECURITY.read,
      responses: { 200: jsonResponse('You have administrator access') },
      codes: [...ACCESS, 'scope_missing'],
    }),
  },
}

/** A file for browsers, by its description and media type. */
function file(id: string, summary: string, type: string): Json {
  const content = { [type]: {} }
  const responses = { 200: { description: summary, content }, 304: { description: 'Not modified' } }
  return { get: operation({ id, tag: 'Server', summary, security: SECURITY.none, responses }) }
}

/** Probes, health, API description and pages. */
export const SERVER: Json = {
  '/livez': {
    get: operation({
      id: 'alive',
      tag: 'Server',
      summary: 'Whether the process runs. It looks at no database.',
      security: SECURITY.none,
      responses: { 200: jsonResponse('It runs', 'Alive') },
    }),
  },
  '/readyz': {
    get: operation({
      id: 'ready',
      tag: 'Server',
      summary: 'Whether the process should get requests now, and what is wrong.',
      security: SECURITY.none,
      responses: {
        200: jsonResponse('It should', 'Ready'),
        503: jsonResponse('It starts, it stops, or something does not work', 'Ready'),
      },
    }),
  },
  '/healthz': {
    get: operation({
      id: 'health',
      tag: 'Server',
      summary: 'Get the state of the server and its settings.',
      security: SECURITY.none,
      responses: {
        200: jsonResponse('The server works', 'Health'),
        503: jsonResponse('The user database or the session store does not respond', 'Health'),
      },
    }),
  },
  '/openapi.json': file('openapi', 'This document', 'application/json'),
  '/docs': file('docs', 'This document as a page', 'text/html'),
  '/': file('page', 'The web page', 'text/html'),
}
