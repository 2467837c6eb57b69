/**
 * The description of the API (OpenAPI 3.1), served as `/openapi.json` and shown at `/docs`. It is
 * written by hand: `paths.ts` has the routes and `schemas.ts` the bodies. A test compares it with
 * the running server.
 */
import { ACCOUNT } from './account-paths.ts'
import { DEMO, SERVER, SESSIONS, SIGN_IN } from './paths.ts'
import { VERSION } from './root.ts'
import { type Json, SCHEMAS } from './schemas.ts'

const COMPONENTS: Json = {
  schemas: SCHEMAS,
  securitySchemes: {
    accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token' },
    refreshToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'A refresh token' },
    accessCookie: { type: 'apiKey', in: 'cookie', name: '__Host-access_token' },
    refreshCookie: { type: 'apiKey', in: 'cookie', name: '__Host-refresh_token' },
    csrfHeader: {
      type: 'apiKey',
      in: 'header',
      name: 'X-CSRF-Token',
      description: 'The value of the cookie `__Host-csrf_token`. Needed only when the token is in a cookie.',
    },
  },
}

/** The whole document. */
export function describeApi(): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tokenwright reference server',
      version: VERSION,
      summary: 'Access and refresh tokens, sessions, freshness, step-up and scopes.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    // Relative, so that the page at /docs calls the server that it came from.
    servers: [{ url: '/' }],
    tags: [
      { name: 'Sign-in', description: 'The routes of `authRoutes`' },
      { name: 'Sessions', description: 'The devices on which the user is signed in' },
      { name: 'Account', description: 'Passkeys, the second factor, names of devices, the password' },
      { name: 'Demo', description: 'One route for each kind of requirement' },
      { name: 'Server', description: 'Health, API description and pages' },
    ],
    paths: { ...SIGN_IN, ...SESSIONS, ...ACCOUNT, ...DEMO, ...SERVER },
    components: COMPONENTS,
  }
}
