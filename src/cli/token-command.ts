/** The command that says what a token is, and what guards would say. It never prints the token. */
import { readFileSync } from 'node:fs'
import type { Auth } from '../auth/auth.ts'
import { createAuth } from '../auth/create-auth.ts'
import type { Requirement } from '../auth/requirement.ts'
import { ERRORS, type ErrorCode, isAuthError } from '../errors.ts'
import { describeFailure } from '../internal/failure.ts'
import type { Store } from '../session/store.ts'
import { importKeySet, type Key } from '../token/import-keys.ts'
import { readUnverified, type UnverifiedPayload } from '../token/jws.ts'
import { readKeyFile } from '../token/key-file.ts'
import { createKeyRing } from '../token/key-ring.ts'
import { parseKeySet } from '../token/key-rotation.ts'
import { buildRing, type KeyRing } from '../token/ring.ts'
import { type CommandTable, type Flags, UsageError } from './command.ts'
import { readSecrets } from './secrets.ts'
import { withStore } from './stores.ts'
import { createPaint, toPrintable } from './terminal.ts'
import { describeToken, toPlainToken, toRelative } from './token-words.ts'

/** `token inspect`. */
export const TOKEN_COMMANDS: CommandTable = { 'token inspect': inspect }

/** The exit status for a token that the guard of its own type refuses. */
const REFUSED = 3

/** The guards that are asked. */
const GUARDS: Readonly<Record<string, Requirement>> = {
  'guard.access()': { type: 'access' },
  'guard.fresh()': { type: 'access', fresh: true },
  'guard.refresh()': { type: 'refresh' },
}

/** What a guard says. */
interface Verdict {
  readonly guard: string
  /** The code of the refusal; null where it lets the token pass. */
  readonly code: ErrorCode | null
  /** Why. */
  readonly reason: string | null
}

async function inspect(argument: string | undefined, flags: Flags): Promise<string> {
  const token = readToken(argument)
  const unverified = readUnverified(token)
  if (unverified === undefined)
    throw new UsageError('Expected a token: three parts with dots between, a header and claims in JSON')
  const ring = await readRing(flags)
  const { verdicts, session } = await check(token, unverified, ring, flags)
  const own = unverified.payload['type'] === 'refresh' ? 'guard.refresh()' : 'guard.access()'
  if (verdicts.some(({ guard, code }) => guard === own && code !== null)) process.exitCode = REFUSED
  if (flags.json) return JSON.stringify({ ...toPlainToken(unverified), verdicts, session })
  const paint = createPaint(process.stdout)
  const notes = [
    ...(session === null ? [] : [session]),
    ...(ring === null ? ['Nothing of it is verified: give --keys, --secret or --jwks'] : []),
    ...(ring !== null && flags.store === undefined ? ['Revocation is not checked: give --store'] : []),
  ]
  const lines = verdicts.map(({ guard, code, reason }) => {
    if (code === null) return `${guard.padEnd(16)} ${paint('green', 'lets it pass')}`
    const { status } = ERRORS[code]
    return `${guard.padEnd(16)} ${paint('red', `refuses it: ${status} ${code}`)}: ${toPrintable(reason ?? '')}`
  })
  return [...describeToken(unverified, Date.now() / 1000), '', ...lines, ...notes].join('\n')
}

/** The token: an argument, or the standard input, which other users of the machine do not see. */
function readToken(argument: string | undefined): string {
  const isInput = argument === undefined || argument === '-'
  if (isInput && process.stdin.isTTY) process.stderr.write('Paste the token, then press Ctrl-D\n')
  const text = isInput ? readFileSync(0, 'utf8') : argument
  return text.trim().replace(/^(?:authorization: *)?bearer +/i, '')
}

/** The keys that are given; null for none. */
async function readRing({ keys, secret, jwks }: Flags): Promise<KeyRing | null> {
  if (jwks !== undefined) return createKeyRing({ verifying: await fetchKeys(jwks) })
  if (secret !== undefined) return createSecretRing([readSecret(secret)])
  const file = keys ?? process.env['TOKENWRIGHT_KEYS']
  if (file) {
    const now = Date.now() / 1000
    return buildRing(importKeySet(parseKeySet(await readKeyFile(file), now), now))
  }
  const secrets = readSecrets(process.env)
  if (secrets instanceof Error) throw secrets
  return secrets.length === 0 ? null : createSecretRing(secrets)
}

function createSecretRing(secrets: readonly string[]): KeyRing {
  return createKeyRing({ verifying: secrets.map((key) => ({ alg: 'HS256', key })) })
}

function readSecret(given: string): string {
  const text = given.startsWith('env:') ? process.env[given.slice('env:'.length)] : undefined
  if (text) return text
  throw new UsageError('Expected --secret with env: and the name of a variable that has the secret')
}

/** How long a key set may take, in milliseconds. */
const LONGEST = 5000

async function fetchKeys(address: string): Promise<readonly Key[]> {
  if (!URL.canParse(address) || !/^https?:/.test(address))
    throw new UsageError(
      'Expected --jwks with the URL of a key set, such as https://.../.well-known/jwks.json',
    )
  const response = await fetch(address, { signal: AbortSignal.timeout(LONGEST) }).catch((error: Error) => {
    throw new UsageError(`--jwks: ${describeFailure(error.cause ?? error)}`)
  })
  const { keys } = Object(await response.json().catch(() => null)) as { keys?: unknown }
  if (Array.isArray(keys) && keys.length > 0) return keys as Key[]
  throw new UsageError(`Expected --jwks with a key set, got status ${response.status} and no keys`)
}

/** What is said of a token. */
interface Report {
  readonly verdicts: readonly Verdict[]
  /** What became of its session; null where that is not known. */
  readonly session: string | null
}

/** Asks each guard. */
async function check(
  token: string,
  unverified: UnverifiedPayload,
  ring: KeyRing | null,
  flags: Flags,
): Promise<Report> {
  if (ring === null) return { verdicts: [], session: null }
  if (flags.store === undefined) return { verdicts: await askGuards(token, ring, flags), session: null }
  return withStore(flags, async (store) => ({
    verdicts: await askGuards(token, ring, flags, store),
    session: await describeSession(store, unverified.payload['sid']),
  }))
}

async function askGuards(token: string, ring: KeyRing, flags: Flags, store?: Store): Promise<Verdict[]> {
  const { issuer, audience, realm } = flags
  const auth = createAuth({
    keys: ring,
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
    ...(realm !== undefined && { realm }),
    ...(store !== undefined && { sessions: { store, prune: false }, revocation: 'strict' }),
  })
  try {
    const verdicts: Verdict[] = []
    for (const [guard, requirement] of Object.entries(GUARDS))
      verdicts.push({ guard, ...(await ask(auth, token, requirement)) })
    return verdicts
  } finally {
    await auth.close()
  }
}

async function ask(auth: Auth, token: string, requirement: Requirement): Promise<Omit<Verdict, 'guard'>> {
  try {
    await auth.verifyToken(token, requirement)
    return { code: null, reason: null }
  } catch (error) {
    if (!isAuthError(error)) throw error
    const { code, message, cause } = error
    if (code === 'store_unavailable') throw cause ?? error
    return { code, reason: cause instanceof Error ? cause.message : message }
  }
}

async function describeSession(store: Store, sid: unknown): Promise<string | null> {
  if (typeof sid !== 'string' || sid === '') return null
  const [row, now] = [await store.get(sid), await store.now()]
  if (row === null) return 'The store does not have its session'
  if (row.revokedAt !== null)
    return `Its session was revoked ${toRelative(row.revokedAt - now)} (${row.revokeReason})`
  const end = Math.min(row.idleExpiresAt, row.absoluteExpiresAt)
  return end <= now
    ? `Its session ended ${toRelative(end - now)}`
    : `Its session is live and ends ${toRelative(end - now)} unless it is used`
}
