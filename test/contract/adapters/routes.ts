/** The application behind every door: its options, its routes, and what their handlers answer. */

import type { AuthOptions } from '../../../src/auth/options.ts'
import type { Auth, TokenPayload } from '../../../src/index.ts'
import type { Reply, Route, Seen } from './frameworks.ts'

/** Users who are not like the others. */
export const REVOKED = 'revoked'
export const UNSURE = 'unsure'
export const GHOST = 'ghost'
export const BROKEN = 'broken'

/** The application's options. */
export const OPTIONS: AuthOptions = {
  locations: ['header', 'cookie', 'query', 'body'],
  csrf: { mode: 'both', origins: ['https://friend.example'] },
  realm: 'us',
  interop: true,
  isRevoked({ sub }) {
    if (sub === UNSURE) throw new Error('the blocklist is down')
    return sub === REVOKED
  },
  subject({ sub }: TokenPayload) {
    if (sub === BROKEN) throw new Error('the database is down')
    return sub === GHOST ? null : { name: `user ${sub}` }
  },
}

/** Answers who the guard says it is. */
function tell({ auth, subject }: Seen): Reply {
  return {
    body: {
      sub: auth?.sub ?? null,
      type: auth?.type ?? null,
      frozen: auth === null || Object.isFrozen(auth),
      subject: subject ?? null,
    },
  }
}

/** The routes; each is there for GET and POST unless it says otherwise. */
export function toRoutes(auth: Auth): readonly Route[] {
  const ALL = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'] as const
  return [
    { path: '/access', guards: [['access']], methods: ALL, handle: tell },
    { path: '/refresh', guards: [['refresh']], handle: tell },
    { path: '/fresh', guards: [['fresh']], handle: tell },
    { path: '/scopes', guards: [['scopes', 'users:read', 'admin']], handle: tell },
    { path: '/any', guards: [['token', { type: 'any' }]], handle: tell },
    { path: '/step-up', guards: [['token', { maxAge: '5m', acr: ['gold'] }]], handle: tell },
    { path: '/header-only', guards: [['token', { locations: ['header'] }]], handle: tell },
    { path: '/header-or-cookie', guards: [['token', { locations: ['header', 'cookie'] }]], handle: tell },
    { path: '/no-csrf', guards: [['token', { csrf: false }]], handle: tell },
    { path: '/optional', guards: [['optional']], handle: tell },
    { path: '/subject', guards: [['subject']], handle: tell },
    { path: '/two', guards: [['optional'], ['fresh']], handle: tell },
    { path: '/two-users', guards: [['subject'], ['scopes', 'admin']], handle: tell },
    { path: '/renew', guards: [['token', { renew: true }]], handle: tell },
    { path: '/renew-twice', guards: [['token', { renew: true }], ['access']], handle: tell },
    {
      path: '/renew-and-theme',
      guards: [['token', { renew: true }]],
      handle: (seen) => ({ ...tell(seen), cookies: ['theme=dark; Path=/', 'lang=en; Path=/'] }),
    },
    {
      path: '/logout',
      guards: [['token', { renew: true }]],
      handle: () => ({ body: {}, cookies: auth.clearCookies() }),
    },
    {
      path: '/login',
      guards: [['access']],
      async handle({ auth: payload }) {
        const pair = { access_token: await auth.createAccessToken(payload!), refresh_token: undefined }
        return { body: {}, cookies: auth.cookies({ access_token: pair.access_token }) }
      },
    },
    { path: '/body', guards: [['access']], handle: async (seen) => ({ body: { body: await seen.read() } }) },
    {
      path: '/body-twice',
      guards: [['optional'], ['access']],
      handle: async (seen) => ({ body: { body: await seen.read() } }),
    },
    { path: '/throws/access', guards: [['access']], throws: true, handle: tell },
    { path: '/throws/subject', guards: [['subject']], throws: true, handle: tell },
    { path: '/throws/scopes', guards: [['scopes', 'admin']], throws: true, handle: tell },
    {
      path: '/handler-fails',
      guards: [['access']],
      async handle() {
        throw new Error('the handler fails')
      },
    },
  ]
}
