/** The one table of the routes: which function responds to which path and method. */
import type { Methods } from './context.ts'
import { showSession } from './current-session.ts'
import { introspect } from './introspect.ts'
import { jwks } from './jwks.ts'
import { login } from './login.ts'
import { logout } from './logout.ts'
import { refresh } from './refresh.ts'
import { checkToken, listRevocations } from './revocations.ts'
import { revoke } from './revoke.ts'
import { endOthers, endSession, listSessions } from './sessions.ts'
import { stepUpByProof, verifyPassword } from './step-up.ts'
import { createTicket } from './ticket.ts'

/**
 * The routes by their paths. A path that ends in `/` takes one more segment, which names something.
 *
 * @param metadata the routes of documents; default none
 */
export function createRouteTable(
  base: string,
  hasSessions: boolean,
  hasClients: boolean,
  metadata: ReadonlyMap<string, Methods> = new Map(),
): ReadonlyMap<string, Methods> {
  const table = new Map<string, Methods>([
    [`${base}/login`, { POST: login }],
    [`${base}/refresh`, { POST: refresh }],
    [`${base}/step-up`, { POST: stepUpByProof }],
    [`${base}/verify-password`, { POST: verifyPassword }],
    [`${base}/logout`, { POST: logout }],
    [`${base}/session`, { GET: showSession }],
    ['/.well-known/jwks.json', { GET: jwks, HEAD: jwks }],
    ...metadata,
  ])
  if (hasSessions) {
    table.set(`${base}/ticket`, { POST: createTicket })
    table.set(`${base}/sessions`, { GET: listSessions, DELETE: endOthers })
    table.set(`${base}/sessions/`, { DELETE: endSession })
  }
  if (hasClients) table.set(`${base}/introspect`, { POST: introspect })
  if (hasClients && hasSessions) {
    table.set(`${base}/revoke`, { POST: revoke })
    table.set(`${base}/revocations`, { GET: listRevocations, POST: checkToken })
  }
  return table
}

/** The methods of a path, and what its last segment names. */
export function findRoute(
  table: ReadonlyMap<string, Methods>,
  path: string,
): { readonly methods: Methods; readonly name: string } | null {
  // The path of a document may end in a slash of the resource that it is about.
  const isDocument = path.startsWith('/.well-known/')
  const exact = path.endsWith('/') && !isDocument ? undefined : table.get(path)
  if (exact !== undefined) return { methods: exact, name: '' }
  if (isDocument) return null
  const end = path.lastIndexOf('/') + 1
  const methods = end < path.length ? table.get(path.slice(0, end)) : undefined
  return methods === undefined ? null : { methods, name: path.slice(end) }
}
