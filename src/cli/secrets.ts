/** The secrets of the environment, in variables or in the files that they name. */
import { type Environment, optionsFromEnvironment } from '../auth/environment.ts'

/** The variables with a secret, in the order of what `readSecrets` returns. */
export const SECRETS = ['TOKENWRIGHT_SECRET', 'TOKENWRIGHT_SECRET_OTHER'] as const

/**
 * Reads the secrets.
 *
 * @returns none, the one that signs, or that and the other one; an error for what cannot be read,
 *   without a part of a secret
 */
export function readSecrets(env: Environment): readonly string[] | Error {
  const names = SECRETS.flatMap((name) => [name, `${name}_FILE`])
  const given = names.flatMap((name) => (env[name] ? [[name, env[name]]] : []))
  try {
    const { secret } = optionsFromEnvironment(Object.fromEntries(given))
    return [secret ?? []].flat() as string[]
  } catch (error) {
    return error as Error
  }
}
