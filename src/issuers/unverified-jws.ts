/**
 * A compact JWS taken apart before anything of it is verified, as its `iss` says whose keys are
 * tried. The same parsed claims are used once the signature holds, so that two readings of one text
 * cannot differ.
 */
import { decodeText } from '../internal/bytes.ts'
import { parseObject } from '../internal/json.ts'
import type { Claims } from '../token/token-payload.ts'

/** A token in the form of a JWS, taken apart and not verified. */
export interface UnverifiedJws {
  /** Its first part. */
  readonly encodedHeader: string
  /** What is signed. */
  readonly input: string
  /** The signature, in base64url. */
  readonly signature: string
  /** The claims, which prove nothing yet. */
  readonly claims: Claims
}

/** Takes a compact JWS apart. @returns undefined for anything but three parts and JSON claims */
export function readJws(token: string): UnverifiedJws | undefined {
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first <= 0 || second < 0 || token.indexOf('.', second + 1) >= 0) return undefined
  const text = decodeText(token.slice(first + 1, second))
  const claims = text === undefined ? undefined : parseObject(text)
  return (
    claims && {
      encodedHeader: token.slice(0, first),
      input: token.slice(0, second),
      signature: token.slice(second + 1),
      claims,
    }
  )
}
