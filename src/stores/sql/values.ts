/**
 * Values in the form that columns keep them in, and back. Times are whole milliseconds. Texts are
 * the content of a JSON string in ASCII. What is looked up is found by a hash.
 */
import { randomInt } from 'node:crypto'
import type { SessionOwner } from '../../session/session-row.ts'
import { hashText as toKey, hashOwner as toOwnerKey } from '../../session/transfer.ts'
import type { Values } from './statement.ts'

/** The hashes that find an identifier, token or subject, and an owner's cut-off. */
export { toKey, toOwnerKey }

/**
 * The parameters that find an owner: its sessions, its cut-off, and a cut-off that version 1 of the
 * schema kept for the subject in every realm (its `realm` is null; ours is JSON).
 */
export function toOwnerValues({ realm, sub }: SessionOwner): OwnerValues {
  return {
    sub_key: toKey(sub),
    owner_key: toOwnerKey({ realm, sub }),
    earlier_key: realm === null ? '' : toKey(sub),
    realm: toOptionalText(realm),
    owner_realm: toJson(realm),
  }
}

/** What `toOwnerValues` returns. */
export interface OwnerValues extends Values {
  /** The hash of the subject. */
  readonly sub_key: string
  /** The hash of realm and subject. */
  readonly owner_key: string
  /** The hash of the subject; empty where `owner_key` is the same. */
  readonly earlier_key: string
  /** Escaped text. */
  readonly realm: string | null
  /** The realm as JSON. */
  readonly owner_realm: string
}

/** A random number that marks one start or end of an owner's sessions. */
export function toVersion(): number {
  return randomInt(2 ** 48 - 1)
}

/** Epoch seconds, or a length in seconds, in the columns' unit. */
export function toColumnTime(seconds: number): number {
  return Math.round(seconds * 1000)
}

/** As `toColumnTime`, and null for null. */
export function toOptionalTime(seconds: number | null): number | null {
  return seconds === null ? null : toColumnTime(seconds)
}

/** A column's time in epoch seconds. */
export function fromColumnTime(value: unknown): number {
  return Number(value) / 1000
}

/** JSON in ASCII; lone surrogates survive as escapes. */
export function toJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** A text as the content of a JSON string in ASCII. */
export function escapeText(text: string): string {
  return toJson(text).slice(1, -1)
}

/** Reverses `escapeText`. */
export function unescapeText(escaped: unknown): string {
  const text = String(escaped)
  return text.includes('\\') ? JSON.parse(`"${text}"`) : text
}

/** As `escapeText`, and null for null. */
export function toOptionalText(text: string | null): string | null {
  return text === null ? null : escapeText(text)
}

/** Reads a column that may be null. */
export function fromOptional<T>(value: unknown, read: (value: unknown) => T): T | null {
  return value === null || value === undefined ? null : read(value)
}

/** Reads JSON. */
export function fromJson(value: unknown): unknown {
  return JSON.parse(String(value))
}
