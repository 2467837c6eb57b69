/**
 * What a thief finds in a stolen store: uses sessions on each kind of store that this machine has,
 * and searches everything in it for secrets.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Attacker, Login } from './attacker.ts'
import { connectStore, newNamespace } from './connections.ts'
import { holds } from './inspections.ts'
import { toBearerIntent, toRefreshIntent } from './intents.ts'
import { secretTexts } from './keys.ts'
import { readSegment, toSegments } from './mutations.ts'
import { send } from './raw-http.ts'
import type { ServerKind } from './servers.ts'
import { createTarget, USERS } from './target.ts'
import { Absent } from './values.ts'

/** The sentence that this file checks. */
export const NO_HIT = 'no hit; nothing at rest from which a token could be made'

const KINDS: readonly ServerKind[] = ['redis', 'postgres', 'mysql', 'sqlite']

/** What a thief could use: tokens and their parts, CSRF values, passwords and keys. */
function toLoot(logins: readonly Login[]): string[] {
  const loot = logins.flatMap(({ access, refresh, csrf }) => {
    const tokens = [access, refresh].filter(Boolean).flatMap((token) => {
      const { payload, signature } = toSegments(token)
      return [token, payload, signature]
    })
    const { jti } = readSegment(toSegments(access).payload)
    return [...tokens, csrf, String(jti)]
  })
  return [...loot, ...secretTexts(), ...USERS.values()].filter((text) => text.length > 1)
}

/**
 * A shorter text can occur in bytes by chance. It is only searched for in what the store's commands
 * show, and as a word.
 */
const LONG_ENOUGH = 8

interface Dump {
  /** What the store's own commands show. */
  readonly output: string
  /** The bytes of its files. */
  readonly bytes: string
}

function checkDump(
  kind: string,
  { output, bytes }: Dump,
  logins: readonly Login[],
  attacker: Attacker,
): void {
  const hit = toLoot(logins).find(
    (secret) => holds(output, secret) || (secret.length >= LONG_ENOUGH && bytes.includes(secret)),
  )
  attacker.record(NO_HIT, hit === undefined, `${kind} holds a secret of ${hit?.length} characters`)
  // The search must find the identifiers of the sessions, or it proves nothing.
  const searched = logins.every(({ sid }) => output.includes(sid) && (bytes === '' || bytes.includes(sid)))
  if (!searched) attacker.findings.set('control', `${kind}: the sessions are not in what was searched`)
}

/** Uses a session: login, refresh, step-up, logout. */
async function useSession(attacker: Attacker, port: number): Promise<Login[]> {
  const ask = async (intent: Parameters<Attacker['request']>[0]) => attacker.request(intent, port)
  const headers = [['Content-Type', 'application/json']] as const
  const body = JSON.stringify({ username: 'alice', password: USERS.get('alice'), delivery: 'cookie' })
  const login = attacker.toLogin('alice', await ask({ method: 'POST', path: '/login', headers, body }))
  const next = attacker.toLogin('alice', await ask(toRefreshIntent(login.refresh)))
  const proof = {
    method: 'POST',
    path: '/auth/verify-password',
    headers: [...headers, ['Authorization', `Bearer ${next.access}`]],
  } as const
  const stepped = await send(port, { ...proof, body: JSON.stringify({ password: USERS.get('alice') }) })
  if (stepped.status !== 200) attacker.findings.set('control', `step-up gets ${stepped.status}`)
  const request = { method: 'POST', path: '/auth/verify-password', headers: [] }
  const after = attacker.toLogin('alice', { request, response: stepped, executions: [], handling: undefined })
  await ask(toBearerIntent(after.access, '/logout', 'POST'))
  return [login, next, after]
}

/** Searches a store: what its commands show, and for a file its bytes. */
async function searchKind(kind: ServerKind, attacker: Attacker): Promise<void> {
  const { address } = await attacker.environment.servers.get(kind)
  const connection = await connectStore(address, { namespace: newNamespace() })
  const target = await createTarget({ store: connection.store })
  try {
    const logins = await useSession(attacker, target.port)
    const folder = dirname(address.file)
    const files = kind === 'sqlite' ? readdirSync(folder).map((name) => join(folder, name)) : []
    const bytes = files.map((file) => readFileSync(file, 'latin1')).join('\n')
    checkDump(kind, { output: await connection.dump(), bytes }, logins, attacker)
  } finally {
    await target.close()
    await connection.close()
  }
}

/** The `inspect` step for stores. */
export async function searchStores(attacker: Attacker): Promise<void> {
  const { store, port } = attacker.target
  const login = await attacker.savedLogin('A')
  const logins = [...(await useSession(attacker, port)), ...(login ? [login] : [])]
  const rows = await Promise.all(logins.map(({ sid }) => store.get(sid)))
  const output = JSON.stringify([rows, await store.readLog(null, 1_000)])
  checkDump(store.name, { output, bytes: '' }, logins, attacker)
  const searched = [store.name]
  for (const kind of KINDS) {
    try {
      await searchKind(kind, attacker)
      searched.push(kind)
    } catch (error) {
      if (!(error instanceof Absent)) throw error
      attacker.notes.push(`SKIPPED on ${kind}: ${error.message}`)
    }
  }
  attacker.notes.push(`searched: ${searched.join(', ')}`)
}
