/** The commands about secrets and keys. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { toSeconds } from '../internal/duration.ts'
import type { AlgorithmName } from '../token/algorithms.ts'
import { importKeySet, type Key } from '../token/import-keys.ts'
import { readKeyFile, writeKeyFile } from '../token/key-file.ts'
import { createKeyRing, generateKey } from '../token/key-ring.ts'
import {
  describeKeySet,
  type KeyStatus,
  parseKeySet,
  type StoredKeySet,
  toIso,
} from '../token/key-rotation.ts'
import { buildRing } from '../token/ring.ts'
import { rotateKeys } from '../token/rotate-keys.ts'
import { type CommandTable, type Flags, UsageError } from './command.ts'

/** Bytes of a new secret: enough for HS512 (RFC 7518 section 3.2). */
const SECRET_BYTES = 64

/** `secret`, `key`, `keys ...` and `jwks`. */
export const KEY_COMMANDS: CommandTable = {
  secret: () => randomBytes(SECRET_BYTES).toString('base64url'),
  key(algorithm) {
    if (algorithm === undefined) throw new UsageError('Expected an algorithm, such as: tokenwright key ES256')
    return JSON.stringify(generateKey(algorithm as AlgorithmName))
  },
  'keys rotate': rotate,
  async 'keys list'(path, { json }) {
    const now = Date.now() / 1000
    const set = await readKeySet(path, now)
    return json ? JSON.stringify(describeKeySet(set, now).map(toPlainStatus)) : listKeys(set, now)
  },
  async 'keys jwks'(path) {
    const now = Date.now() / 1000
    return JSON.stringify(buildRing(importKeySet(await readKeySet(path, now), now)).jwks)
  },
  jwks: toJwks,
}

/** The public half of a private key. */
function toJwks(file: string | undefined): string {
  const text = readFileSync(file ?? 0, 'utf8')
  // The JSON text of a JWK is a key, too; what is wrong with it is told without a part of it.
  const { jwks } = createKeyRing({ signing: text.trim() as unknown as Key })
  if (jwks.keys.length === 0) throw new UsageError('Expected the key of a pair: a secret has no public half')
  return JSON.stringify(jwks)
}

/** The least time between the announcement of a key and its first signature, in seconds. */
const MIN_ANNOUNCE = 600

/** Bounds of both, in seconds: no token lives longer than a century. */
const MAX_PLAN = 100 * 366 * 86_400

/** Rotates a key file, and says what each key does then. */
async function rotate(path: string | undefined, flags: Flags): Promise<string> {
  if (path === undefined) throw new UsageError('Expected a file, such as: tokenwright keys rotate keys.json')
  const { force = false, announce = force ? '0s' : '1h', retire = '21d' } = flags
  const plan = {
    announce: toSeconds('--announce', announce, { min: force ? 0 : MIN_ANNOUNCE, max: MAX_PLAN }),
    retire: toSeconds('--retire', retire, { min: 0, max: MAX_PLAN }),
    force,
  }
  const before = await readKeyFile(path).catch((error: { code?: string }) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  const alg = flags.alg === undefined ? {} : { alg: flags.alg as AlgorithmName }
  const next = rotateKeys(before, { ...plan, ...alg })
  await writeKeyFile(path, `${JSON.stringify(JSON.parse(next), null, 2)}\n`)
  const now = Date.now() / 1000
  return listKeys(parseKeySet(next, now), now)
}

async function readKeySet(path: string | undefined, now: number): Promise<StoredKeySet> {
  if (path === undefined) throw new UsageError('Expected a file, such as keys.json')
  return parseKeySet(await readKeyFile(path), now)
}

/** A line for each key, the signing one first. */
function listKeys(set: StoredKeySet, now: number): string {
  const lines = describeKeySet(set, now).map(({ kid, alg, step, signsFrom, notAfter }) => {
    const from = step === 'announced' ? `, signs from ${toIso(signsFrom)}` : ''
    const until = Number.isFinite(notAfter) ? `, verifies until ${toIso(notAfter)}` : ''
    return `${kid} ${alg} ${step}${from}${until}`
  })
  return lines.join('\n')
}

/** Times as texts; null for none. */
function toPlainStatus({ kid, alg, step, signsFrom, notAfter }: KeyStatus): object {
  return {
    kid,
    alg,
    step,
    signsFrom: signsFrom === 0 ? null : toIso(signsFrom),
    notAfter: Number.isFinite(notAfter) ? toIso(notAfter) : null,
  }
}
