/** What the variables and the key file of a deployment say: nothing is asked over the network. */
import { stat } from 'node:fs/promises'
import { importKeySet } from '../../token/import-keys.ts'
import { readKeyFile } from '../../token/key-file.ts'
import { createKeyRing } from '../../token/key-ring.ts'
import { describeKeySet, type KeyStatus, parseKeySet, toIso } from '../../token/key-rotation.ts'
import { buildRing, type KeyRing } from '../../token/ring.ts'
import { type Finding, toFinding, toSkipped, toSound } from './checks.ts'

/** The variables with a secret. */
const SECRETS = ['TOKENWRIGHT_SECRET', 'TOKENWRIGHT_SECRET_OTHER']

/** The variables of the environment. */
type Environment = Readonly<Record<string, string | undefined>>

/** Looks at the variables. @param isPublic whether a deployment for users is looked at */
export async function checkEnvironment(env: Environment, isPublic: boolean): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const variable of SECRETS) {
    const secret = env[variable]
    if (secret) findings.push(await checkSecret(variable, secret))
  }
  if (findings.length === 0) findings.push(toSkipped('secret-weak', 'TOKENWRIGHT_SECRET is not set here'))
  if (env['TOKENWRIGHT_SECRET'] && env['TOKENWRIGHT_KEYS'])
    findings.push(toFinding('variable-unused', 'TOKENWRIGHT_SECRET is set beside TOKENWRIGHT_KEYS'))
  const mode = env['NODE_ENV']
  if (isPublic && mode !== undefined && mode !== 'production')
    findings.push(toFinding('node-env', `NODE_ENV is not production here, for a deployment on the network`))
  return findings
}

async function checkSecret(variable: string, secret: string): Promise<Finding> {
  const warned: string[] = []
  const note = ({ code, message }: Error & { code?: string }): void => {
    if (code === 'TOKENWRIGHT_WEAK_SECRET') warned.push(toOwnWords(message, variable))
  }
  const printers = process.listeners('warning')
  process.removeAllListeners('warning').on('warning', note)
  try {
    createKeyRing({ signing: { alg: 'HS256', key: secret } })
    // A warning comes in the next turn.
    await new Promise(setImmediate)
  } catch (error) {
    return toFinding('secret-weak', toOwnWords((error as Error).message, variable))
  } finally {
    process.removeAllListeners('warning')
    for (const printer of printers) process.on('warning', printer)
  }
  const [words] = warned
  return words === undefined
    ? toSound('secret-weak', `${variable} is long and looks random`)
    : toFinding('secret-words', words)
}

/** The secret of the variables as keys; null for none, and for a weak one. */
export function readSecretRing({ TOKENWRIGHT_SECRET: secret }: Environment): KeyRing | null {
  if (!secret) return null
  try {
    return createKeyRing({ signing: { alg: 'HS256', key: secret } })
  } catch {
    return null
  }
}

/** The messages name the option; the operator has set a variable. How to make one is the advice. */
function toOwnWords(message: string, variable: string): string {
  return message.replace(/`signing[^`]*`/, variable).replace(/; make one with: .*$/, '')
}

/** How long before its end a key is told of, in seconds. */
const SOON = 7 * 86_400

/** What was found in a key file. */
export interface KeyFindings {
  readonly findings: readonly Finding[]
  /** Its keys; null where it cannot be read. */
  readonly ring: KeyRing | null
}

/** Looks at a key file. */
export async function checkKeyFile(path: string | undefined): Promise<KeyFindings> {
  if (!path)
    return { findings: [toSkipped('keys-invalid', 'neither --keys nor TOKENWRIGHT_KEYS')], ring: null }
  const now = Date.now() / 1000
  try {
    const set = parseKeySet(await readKeyFile(path), now)
    const { mode } = await stat(path)
    const statuses = describeKeySet(set, now)
    const findings = checkSigner(statuses, now)
    const isPrivate = set.keys.some((key) => 'd' in key || 'k' in key)
    if (isPrivate && (mode & 0o077) !== 0 && process.platform !== 'win32')
      findings.push(toFinding('keys-readable', 'Other users of this machine can read or write the key file'))
    if (findings.length === 0)
      findings.push(toSound('keys-invalid', `${statuses.length} keys, of which one signs`))
    return { findings, ring: buildRing(importKeySet(set, now)) }
  } catch (error) {
    return { findings: [toFinding('keys-invalid', (error as Error).message)], ring: null }
  }
}

function checkSigner(statuses: readonly KeyStatus[], now: number): Finding[] {
  const signer = statuses.find(({ step }) => step === 'signing')
  if (signer === undefined) return [toFinding('keys-no-signer', 'No key of the file signs now')]
  const hasNext = statuses.some(({ step }) => step === 'announced')
  if (hasNext || signer.notAfter - now > SOON) return []
  return [toFinding('keys-end', `The key that signs ends ${toIso(signer.notAfter)}, and none is announced`)]
}
