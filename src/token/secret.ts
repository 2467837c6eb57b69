/**
 * What a shared secret for HMAC must be: long enough (RFC 7518 section 3.2), not a sample out of a
 * tutorial, and not a key of another kind given by mistake: a public key's text as a secret is
 * known to everyone.
 */
import { ConfigurationError } from '../internal/configuration-error.ts'

/** How to make a good secret; part of every complaint about a bad one. */
const ADVICE = 'make one with: node -p "crypto.randomBytes(48).toString(\'base64url\')"'

/** Secrets that tutorials print and dictionaries list, without digits, blanks and punctuation. */
const SAMPLES = [
  'astringsecretatleastbitslong',
  'yoursecretkey',
  'yourbitsecret',
  'supersecretkey',
  'changeme',
  'secret',
]

/**
 * The fewest different bytes in a secret; a random one of 32 bytes has more than 20, in hexadecimal
 * more than 8.
 */
const MIN_DISTINCT_BYTES = 8

/** Texts that only a key of another kind holds: PEM armour, SSH keys, JSON Web Keys. */
const OTHER_KEY = /-----BEGIN |^ssh-|^ecdsa-sha2-|"kty"\s*:/

/**
 * Refuses a weak HMAC secret. Says which rule it breaks and how to make a better one; never shows
 * any of it.
 *
 * @param at the option as the developer writes it
 * @param secret the secret's bytes
 * @param minBytes the least length that the algorithm takes
 * @throws {ConfigurationError} for one that is short, a known sample, of few different bytes, or
 *   another kind of key
 */
export function checkSecret(at: string, secret: Uint8Array, alg: string, minBytes: number): void {
  if (secret.length < minBytes) {
    throw new ConfigurationError(
      `Expected \`${at}\` to be at least ${minBytes} bytes for ${alg}, got ${secret.length}; ${ADVICE}`,
    )
  }
  const text = Buffer.from(secret).toString('latin1')
  if (OTHER_KEY.test(text)) {
    throw new ConfigurationError(
      `Expected \`${at}\` to be a random secret for ${alg}, got a key of another kind; ${ADVICE}`,
    )
  }
  const letters = text.toLowerCase().replace(/[^a-z]/g, '')
  if (new Set(secret).size < MIN_DISTINCT_BYTES || SAMPLES.includes(letters)) {
    throw new ConfigurationError(`Expected \`${at}\` to be random: it can be guessed; ${ADVICE}`)
  }
}
