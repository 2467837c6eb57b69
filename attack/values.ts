/**
 * Values of case files: `$A.access` is what an earlier step saved, and `$now+3600`, `$delete`,
 * `$raw:1e400`, `$repeat:a:8193`, `$depth:5000`, `$members:400`, `$invalid_utf8`, `$utf16`, `$rand`
 * and `$jwe_*` are generators. JSON cannot express some results, such as a number that is too large
 * or a deleted member, so resolved values have additional types.
 */
import { randomBytes } from 'node:crypto'
import { isList, isObject, type Json } from './cases.ts'

/** A case needs something that this runner cannot do. It is skipped, with the message as reason. */
export class Unsupported extends Error {
  override readonly name: string = 'Unsupported'
}

/** The machine lacks a program. What needs it is skipped, with the message as reason. */
export class Absent extends Unsupported {}

/** JSON text that is written unchanged, and its form as a whole document. */
export class RawJson {
  readonly text: string
  /** The whole document; `...` stands for the usual members. */
  readonly document: string
  /** The encoding of the document. */
  readonly encoding: 'utf8' | 'utf16le' | 'latin1'

  constructor(text: string, document: string = text, encoding: RawJson['encoding'] = 'utf8') {
    this.text = text
    this.document = document
    this.encoding = encoding
  }
}

/** Stands for a deleted member. Compared by identity. */
export const DELETED = new RawJson('null')

/** A value with its generators resolved. */
export type Value =
  | null
  | boolean
  | number
  | string
  | RawJson
  | readonly Value[]
  | { readonly [name: string]: Value }

/** Looks up the names in values. */
export interface Scope {
  /** The time of the application under attack, in epoch seconds. */
  now(): number
  /** The value of `$name` or `$name.member`; undefined if it is unknown. */
  lookup(name: string, member?: string): Value | undefined | Promise<Value | undefined>
}

/** JWE tokens (RFC 7516). None can be decrypted, and the verifier must not try. */
const JWE: Readonly<Record<string, (part: (value: unknown) => string) => string>> = {
  dir: (part) => `${part({ alg: 'dir', enc: 'A256GCM' })}..${noise(12)}.${noise(64)}.${noise(16)}`,
  rsa_oaep: (part) =>
    `${part({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.${noise(256)}.${noise(12)}.${noise(64)}.${noise(16)}`,
  pbes2_p2c_max: (part) => {
    const header = { alg: 'PBES2-HS512+A256KW', enc: 'A256GCM', p2s: noise(16), p2c: 2_147_483_647 }
    return `${part(header)}.${noise(40)}.${noise(12)}.${noise(64)}.${noise(16)}`
  },
  zip_bomb: (part) => {
    const bomb = Buffer.alloc(3_000).toString('base64url')
    return `${part({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' })}..${noise(12)}.${bomb}.${noise(16)}`
  },
}

function noise(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}

/** Generators that need no scope, by name. */
const GENERATORS: Readonly<Record<string, (argument: string) => Value>> = {
  delete: () => DELETED,
  raw: (text) => new RawJson(text),
  repeat: (argument) => {
    const cut = argument.lastIndexOf(':')
    return argument.slice(0, cut).repeat(toCount(argument.slice(cut + 1)))
  },
  depth: (argument) => {
    const nested = '['.repeat(toCount(argument)) + ']'.repeat(toCount(argument))
    return new RawJson(nested, `{...,"deep":${nested}}`)
  },
  members: (argument) => {
    const members = Array.from({ length: toCount(argument) }, (_, index) => `"m${index}":${index}`).join(',')
    return new RawJson(`{${members}}`, `{...,${members}}`)
  },
  invalid_utf8: () => new RawJson('"\xff"', '{...,"x":"\xff"}', 'latin1'),
  utf16: () => new RawJson('{}', '{...}', 'utf16le'),
  rand: () => noise(12),
}

const GENERATOR = /^\$([a-z][a-z0-9]*(?:_[a-z0-9]+)*)(?::([\s\S]*))?$/
const NAME = /\$now(_ms)?([+-]\d+(?:\.\d+)?)?|\$([A-Za-z]\w*)(?:\.(\w+))?/g

function toCount(text: string): number {
  return countOf(Number(text), 'count', 2_000_000)
}

function generate(text: string): Value | undefined {
  const [, name = '', argument = ''] = GENERATOR.exec(text) ?? []
  if (name.startsWith('jwe_')) {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const kind = name.slice('jwe_'.length)
    return Object.hasOwn(JWE, kind) ? JWE[kind]?.(part) : undefined
  }
  return Object.hasOwn(GENERATORS, name) ? GENERATORS[name]?.(argument) : undefined
}

async function lookUp(match: RegExpExecArray, scope: Scope): Promise<Value> {
  const [whole, milliseconds, offset, name, member] = match
  if (name === undefined) {
    const unit = milliseconds === undefined ? 1 : 1000
    return scope.now() * unit + Number(offset ?? 0)
  }
  const value = await scope.lookup(name, member)
  if (value === undefined) throw new Unsupported(`unknown value ${whole}`)
  return value
}

/** Resolves a text: to the value if the text is one name or generator, else to a text. */
export async function resolveText(text: string, scope: Scope): Promise<Value> {
  const generated = generate(text)
  if (generated !== undefined) return generated
  let result = ''
  let end = 0
  for (const match of text.matchAll(NAME)) {
    const value = await lookUp(match, scope)
    if (match[0] === text) return value
    if (typeof value !== 'string' && typeof value !== 'number')
      throw new Unsupported(`'${match[0]}' cannot be inside a text`)
    result += text.slice(end, match.index) + String(value)
    end = match.index + match[0].length
  }
  return result + text.slice(end)
}

/** Resolves all generators and names in a value. Names of members stay as they are. */
export async function resolve(value: Json, scope: Scope): Promise<Value> {
  if (typeof value === 'string') return resolveText(value, scope)
  if (isList(value)) return Promise.all(value.map((item) => resolve(item, scope)))
  if (!isObject(value)) return value
  const members: [string, Value][] = []
  for (const [name, item] of Object.entries(value)) members.push([name, await resolve(item, scope)])
  return Object.fromEntries(members)
}

/** A member of a step that must be a text. Throws `Unsupported` if it is not. */
export function textOf(value: Json | undefined, name: string): string {
  if (typeof value !== 'string') throw new Unsupported(`'${name}' must be a text`)
  return value
}

/** A member that must be an integer from 0 to a bound. Throws `Unsupported` if it is not. */
export function countOf(value: unknown, name: string, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most) return value
  throw new Unsupported(
    `'${name}' must be an integer from 0 to ${most}, got ${JSON.stringify(value ?? null)}`,
  )
}

/** The JSON text of a resolved value, with raw text unchanged and without deleted members. */
export function toJson(value: Value): string {
  if (value instanceof RawJson) return value.text
  if (isArray(value)) return `[${value.map(toJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).filter(([, item]) => item !== DELETED)
  return `{${members.map(([name, item]) => `${JSON.stringify(name)}:${toJson(item)}`).join(',')}}`
}

/** Whether a resolved value is a list. */
export function isArray(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

/** Whether a resolved value is an object. */
export function isMembers(value: Value | undefined): value is { readonly [name: string]: Value } {
  return typeof value === 'object' && value !== null && !isArray(value) && !(value instanceof RawJson)
}

/**
 * The bytes of a document given as raw text (`header_raw`, `payload_raw`). `...` stands for the
 * members of `base`, and `\ufeff` at the start for the byte order mark.
 */
export function toDocument(raw: Value, base: Readonly<Record<string, Value>>): Buffer {
  const { document, encoding } =
    raw instanceof RawJson ? raw : new RawJson(typeof raw === 'string' ? raw : toJson(raw))
  const members = toJson(base).slice(1, -1)
  const text = document.replace(/^\\ufeff/, '\ufeff').replace('...', () => members)
  return Buffer.from(text, encoding)
}
