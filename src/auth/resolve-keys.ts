/**
 * The options `secret` and `keys` -> a key ring, which has no key where an application only accepts
 * the tokens of other issuers. A message about a secret names the option or the variable that it
 * came from, and never shows a part of it.
 */
import { isBytes } from '../internal/bytes.ts'
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import type { Key } from '../token/import-keys.ts'
import { createKeyRing } from '../token/key-ring.ts'
import { buildRing, isKeyRing, type KeyRing } from '../token/ring.ts'
import type { AuthOptions } from './options.ts'

/** The options that say which keys there are. */
type KeyOptions = Pick<AuthOptions, 'secret' | 'keys'> & { readonly issuers?: unknown }

/** The ring of an application that only accepts the tokens of other issuers. */
export const NO_KEYS: KeyRing = buildRing({ signing: null, all: [], switchAt: Number.POSITIVE_INFINITY })

/**
 * The keys: a ring, a ring of the secrets, none beside other issuers, or a ring of the
 * environment's secrets.
 *
 * @throws {ConfigurationError} for both, for neither, and for what is no ring or no good secret
 */
export function resolveKeys({ secret, keys, issuers }: KeyOptions): KeyRing {
  if (keys === undefined && secret === undefined && issuers !== undefined) return NO_KEYS
  if (keys !== undefined) {
    if (secret !== undefined) throw new ConfigurationError('Expected `secret` or `keys`, got both')
    if (isKeyRing(keys)) return keys
    throw new ConfigurationError(expected('keys', 'a key ring made by createKeyRing', keys))
  }
  const given = secret === undefined ? readEnvironment() : nameSecrets(secret)
  for (const { name, value } of given) {
    if (typeof value === 'string' || isBytes(value)) continue
    const wanted = 'a string or bytes (or set TOKENWRIGHT_SECRET, or give `keys`); make one with: '
    const told = value === undefined ? 'secret' : name
    throw new ConfigurationError(
      expected(told, `${wanted}node -p "crypto.randomBytes(48).toString('base64url')"`, value),
    )
  }
  const [first, ...others] = given.map(({ value }) => ({ alg: 'HS256', key: value }) as Key)
  try {
    return createKeyRing({ ...(first && { signing: first }), verifying: others })
  } catch (cause) {
    if (!(cause instanceof ConfigurationError)) throw cause
    throw new ConfigurationError(toSecretMessage(cause.message, given))
  }
}

/** A secret, and the option or variable that it comes from. */
interface NamedSecret {
  readonly name: string
  readonly value: unknown
}

function nameSecrets(secret: unknown): readonly NamedSecret[] {
  if (!Array.isArray(secret)) return [{ name: 'secret', value: secret }]
  if (secret.length > 0) return secret.map((value, i) => ({ name: `secret[${i}]`, value }))
  throw new ConfigurationError('Expected `secret` to hold at least one secret, got an empty list')
}

/** The secrets of the environment, on runtimes that have one. The first is undefined if not set. */
function readEnvironment(): readonly NamedSecret[] {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } }
  const names = ['TOKENWRIGHT_SECRET', 'TOKENWRIGHT_SECRET_OTHER']
  const [first, other] = names.map((name) => ({ name, value: process?.env?.[name] }))
  return [first, ...(other?.value ? [other] : [])].filter((one) => one !== undefined)
}

/** Says `secret` in place of the option of the ring. */
function toSecretMessage(message: string, given: readonly NamedSecret[]): string {
  if (message.includes('two are the same')) return 'Expected each secret to be another one: two are the same'
  return message
    .replaceAll(/`signing(?:\.key)?`/g, `\`${given[0]?.name}\``)
    .replaceAll(/`verifying\[(\d+)\](?:\.key)?`/g, (_, i) => `\`${given[Number(i) + 1]?.name}\``)
}
