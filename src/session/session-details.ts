/**
 * What an application and a user keep of a session: metadata and a label. No token has them.
 * Whoever may list the sessions of a subject may read the label.
 */
import { expected, isRecord, misuse } from '../internal/configuration-error.ts'
import { findJsonMisfit } from '../internal/json.ts'
import type { SessionRow } from './session-row.ts'

/** The details of a session, as an application gives them. */
export interface SessionDetails {
  /**
   * What the application keeps of the session: a plain JSON object of at most 4096 bytes. No token
   * has it. Default `{}`.
   */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** What the user calls it, of 1 to 100 characters; null for nothing. Default null. */
  readonly label?: string | null | undefined
}

/** The most bytes of metadata, as JSON in UTF-8. */
const MAX_METADATA = 4096

/** The most levels of metadata. */
const METADATA_DEPTH = 16

/** The longest label, in characters. */
const MAX_LABEL = 100

/**
 * Checks the details that are given.
 *
 * @throws {TypeError} for metadata that is no plain JSON or too large, and for a label of another
 *   length
 */
export function readDetails({
  metadata,
  label,
}: SessionDetails): Partial<Pick<SessionRow, 'metadata' | 'label'>> {
  return {
    ...(metadata !== undefined && { metadata: readMetadata(metadata) }),
    ...(label !== undefined && { label: readLabel(label) }),
  }
}

/** Checks metadata. @throws {TypeError} for what is no plain JSON, or too large */
function readMetadata(value: unknown): SessionRow['metadata'] {
  if (!isRecord(value) || findJsonMisfit(value, METADATA_DEPTH) !== undefined)
    throw misuse(expected('metadata', `an object of plain JSON of at most ${METADATA_DEPTH} levels`, value))
  const size = Buffer.byteLength(JSON.stringify(value), 'utf8')
  if (size <= MAX_METADATA) return value
  throw misuse(`Expected \`metadata\` to have at most ${MAX_METADATA} bytes as JSON, got ${size}`)
}

/** Checks a label. @throws {TypeError} for what is neither a text of its length nor null */
function readLabel(value: unknown): string | null {
  if (value === null || (typeof value === 'string' && value !== '' && value.length <= MAX_LABEL)) return value
  throw misuse(
    expected(
      'label',
      `a string of 1 to ${MAX_LABEL} characters, or null for none`,
      typeof value === 'string' ? '' : value,
    ),
  )
}

/** The longest address and user agent that are kept, in characters. */
const MAX_IP = 64
const MAX_USER_AGENT = 256

/** Where a client is seen. */
export interface ClientNotes {
  /** Its address. */
  readonly ip: string | undefined
  /** Its user agent. */
  readonly userAgent: string | undefined
}

/** Cuts what headers say of a client to what a row keeps of it. */
export function cutNotes({ ip, userAgent }: ClientNotes): Pick<SessionRow, 'ip' | 'userAgent'> {
  return { ip: ip?.slice(0, MAX_IP) ?? null, userAgent: userAgent?.slice(0, MAX_USER_AGENT) ?? null }
}
