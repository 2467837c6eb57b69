/** What the variables and the key file of a deployment say: nothing is asked over the network. */
import { stat } from 'node:fs/promises'
import { createAuth } from '../../auth/create-auth.ts'
import { type Environment, optionsFromEnvironment, withVariableNames } from '../../auth/environment.ts'
import { ENVIRONMENT_VARIABLES, PREFIX } from '../../auth/environment-table.ts'
import { nearest } from '../../internal/configuration-error.ts'
import { importKeySet } from '../../token/import-keys.ts'
import { readKeyFile } from '../../token/key-file.ts'
import { createKeyRing, generateKey } from '../../token/key-ring.ts'
import { describeKeySet, type KeyStatus, parseKeySet, toIso } from '../../token/key-rotation.ts'
import { buildRing, type KeyRing } from '../../token/ring.ts'
import { readSecrets, SECRETS } from '../secrets.ts'
import { type Finding, toFinding, toSkipped, toSound } from './checks.ts'

/** Looks at the variables. @param isPublic whether a deployment for users is looked at */
export async function checkEnvironment(env: Environment, isPublic: boolean): Promise<Finding[]> {
  const findings: Finding[] = []
  const secrets = readSecrets(env)
  if (secrets instanceof Error) return [toFinding('variables-invalid', secrets.message)]
  for (const [i, secret] of secrets.entries()) findings.push(await checkSecret(SECRETS[i] ?? '', secret))
  if (findings.length === 0) findings.push(toSkipped('secret-weak', 'TOKENWRIGHT_SECRET is not set here'))
  if (env['TOKENWRIGHT_SECRET'] && env['TOKENWRIGHT_KEYS'])
    findings.push(toFinding('variable-unused', 'TOKENWRIGHT_SECRET is set beside TOKENWRIGHT_KEYS'))
  findings.push(...checkOptions(env))
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

/** Whether an application that reads its options from the environment would start. */
function checkOptions(env: Environment): Finding[] {
  const isSet = ([name]: readonly [string, unknown]): boolean =>
    name.startsWith(PREFIX) && !/^TOKENWRIGHT_(?:SECRET|KEYS)/.test(name)
  const given = Object.entries(env).filter(isSet)
  if (given.length === 0) return []
  try {
    // The store, and what needs one, is the application's.
    const others = given.flatMap(([name]) => (isOfApplication(name) ? [name] : []))
    const read = optionsFromEnvironment(Object.fromEntries(given), others)
    const { sessions: _, revocation: __, ...options } = read
    const keys = createKeyRing({ signing: generateKey('HS256') })
    withVariableNames(options, () => createAuth({ ...options, keys }))
    return [toSound('variables-invalid', `${given.length} variables with options can be read`)]
  } catch (error) {
    return [toFinding('variables-invalid', (error as Error).message)]
  }
}

/** Whether a name is unlike every variable with an option: an application may have its own. */
function isOfApplication(name: string): boolean {
  const suffixes = ENVIRONMENT_VARIABLES.map((one) => one.name.slice(PREFIX.length))
  const suffix = name.slice(PREFIX.length).replace(/_FILE$/, '')
  return !suffixes.includes(suffix) && nearest(suffix, suffixes) === undefined
}

/** The secret of the variables as keys; null for none, and for a weak one. */
export function readSecretRing(env: Environment): KeyRing | null {
  const secrets = readSecrets(env)
  const [key] = secrets instanceof Error ? [] : secrets
  if (key === undefined) return null
  try {
    return createKeyRing({ signing: { alg: 'HS256', key } })
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
