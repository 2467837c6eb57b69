/**
 * Hashes in one call, where the runtime has that. A stream object for each hash costs three times
 * as much.
 */
import * as crypto from 'node:crypto'

/** Hashes bytes, or the UTF-8 of a text. */
type OneShotHash = (
  algorithm: string,
  data: Uint8Array | string,
  encoding: 'latin1' | 'base64url' | 'hex',
) => string

/** `crypto.hash` exists since Node 20.12; other runtimes may lack it. */
export const oneShotHash: OneShotHash | undefined = (crypto as { hash?: OneShotHash }).hash

/** SHA-256 of the UTF-8 of a text, in base64url. */
export function sha256(text: string): string {
  return oneShotHash === undefined
    ? crypto.createHash('sha256').update(text).digest('base64url')
    : oneShotHash('sha256', text, 'base64url')
}
