/**
 * Expands a case into its combinations. A list as the value of a header parameter, claim, key,
 * function, method, path, body, bearer or HTTP header means one combination for each element; a
 * list in the list is a literal list. Some words stand for several attacks too. Pure.
 */
import { isList, isObject, type Json } from './cases.ts'
import { Unsupported } from './values.ts'

/** One combination of a case. */
export interface Variant {
  /** The chosen values, such as `mint.header.alg="HS384"`; empty for the only combination. */
  readonly label: string
  readonly steps: readonly Json[]
}

/** A place in the steps that takes one of several values. */
interface Fork {
  readonly path: readonly (string | number)[]
  readonly options: readonly Json[]
}

/** The places where a list means alternatives, by step; `*` is any name. */
const EXPANDING: Readonly<Record<string, readonly string[]>> = {
  mint: ['header.*', 'claims.*', 'key', 'mac', 'header_raw', 'payload_raw'],
  mutate: ['fn', 'from', 'header.*', 'claims.*'],
  raw_token: ['value', 'values'],
  request: ['method', 'path', 'body', 'bearer', 'refresh', 'csrf', 'headers.*', 'cookies.*'],
  login: ['user', 'mode', 'extra_claims'],
  configure: ['*'],
  serve: ['*.*'],
  dns: ['*'],
  key_file: ['put'],
  fault: ['action.*'],
}

/** The member with the inner step of these steps. */
const NESTED: Readonly<Record<string, string>> = { parallel: 'request', repeat: 'step' }

/** More combinations than this are a mistake in the file. */
const MAX_VARIANTS = 5_000

/**
 * The attacks that a word stands for, where a list could be. `pad_equals:header|payload` means two.
 * Padding of a signed segment is only an attack if the result is signed again.
 */
function toAlternatives(step: string, place: string, value: Json): Json[] {
  if (step === 'login' && place === 'extra_claims') return [value, ...toSingles(value)]
  if (typeof value !== 'string') return [value]
  if (step === 'mutate' && place === 'fn') return toFunctions(value)
  if (step === 'mint' && place === 'key' && value === 'retired') return ['retired:removed', 'retired:expired']
  if (step === 'mint' && place.endsWith('_raw')) return toDocuments(place, value)
  if (value === '$aux') return ['$aux_csrf', '$aux_id']
  return [value]
}

/**
 * A document with a duplicate member or a lone surrogate may lack required members. It is sent
 * unchanged, and again with the usual members, so that only the fault can be refused.
 */
function toDocuments(place: string, text: string): string[] {
  if (!text.startsWith('{') || text.includes('...')) return [text]
  const names = [...text.matchAll(/("(?:[^"\\]|\\.)*")\s*:/g)].map(([, name]) => JSON.parse(String(name)))
  const twice = new Set(names).size < names.length
  if (place === 'header_raw' && twice) return [text, `${text.slice(0, -1)},...}`]
  const surrogate = /\\u[dD][89a-fA-F]/.test(text)
  return place === 'payload_raw' && surrogate ? [text, `{...,${text.slice(1)}`] : [text]
}

/** Each member alone: the refusal of one must not hide that another is accepted. */
function toSingles(value: Json): Json[] {
  const entries = isObject(value) ? Object.entries(value) : []
  return entries.length < 2 ? [] : entries.map((entry) => Object.fromEntries([entry]))
}

function toFunctions(fn: string): string[] {
  // The colons of a generator do not name a segment.
  if (fn.startsWith('$')) return [fn]
  if (fn === 'json_serialization') return [`${fn}:general`, `${fn}:flattened`]
  if (fn === 'swap_payloads') return [`${fn}:signature_of_other`, `${fn}:payload_of_other`]
  const [name = '', target = ''] = fn.split(':')
  const [segments = '', ...flags] = target.split(',')
  const suffix = flags.map((flag) => `,${flag}`).join('')
  const each = segments === '' ? [fn] : segments.split('|').map((segment) => `${name}:${segment}${suffix}`)
  const signed = name === 'pad_equals' && flags.length === 0
  return each.flatMap((one) => (signed && !one.endsWith(':signature') ? [one, `${one},resign`] : [one]))
}

/** The paths in a node that match a pattern such as `header.*`, with their values. */
function* matches(node: Json, pattern: string): Generator<[string[], Json]> {
  const [head = '', ...rest] = pattern.split('.')
  if (!isObject(node)) return
  const names = head === '*' ? Object.keys(node) : Object.hasOwn(node, head) ? [head] : []
  for (const name of names) {
    const value = node[name] as Json
    if (rest.length === 0) yield [[name], value]
    else for (const [path, inner] of matches(value, rest.join('.'))) yield [[name, ...path], inner]
  }
}

function findForks(step: string, body: Json, at: readonly (string | number)[]): Fork[] {
  if (step === 'repeat' && isObject(body) && isList(body['steps']))
    return body['steps'].flatMap((one, index) => stepForks(one, [...at, 'steps', index]))
  const inner = Object.hasOwn(NESTED, step) ? NESTED[step] : undefined
  if (inner !== undefined && isObject(body)) {
    const nested = body[inner]
    const below = [...at, inner]
    if (nested === undefined) return []
    return inner === 'step' ? stepForks(nested, below) : findForks(inner, nested, below)
  }
  const patterns = Object.hasOwn(EXPANDING, step) ? (EXPANDING[step] ?? []) : []
  return patterns.flatMap((pattern) =>
    [...matches(body, pattern)].flatMap(([path, value]) => {
      if (isList(value) && value.length === 0) return []
      const place = path[0] ?? ''
      const options = (isList(value) ? value : [value]).flatMap((one) => toAlternatives(step, place, one))
      const single = options.length === 1 && !isList(value) && options[0] === value
      return single ? [] : [{ path: [...at, ...path], options }]
    }),
  )
}

function stepForks(step: Json, at: readonly (string | number)[]): Fork[] {
  if (!isObject(step)) return []
  return Object.entries(step).flatMap(([name, body]) => findForks(name, body, [...at, name]))
}

/** A copy of a tree with another value at a path. Its own members `__proto__` stay its own. */
function replace(node: Json, path: readonly (string | number)[], value: Json): Json {
  const [head, ...rest] = path
  if (head === undefined) return value
  if (isList(node)) return node.map((item, index) => (index === head ? replace(item, rest, value) : item))
  if (!isObject(node)) return node
  const entries = Object.entries(node)
  return Object.fromEntries(
    entries.map(([name, item]) => [name, name === head ? replace(item, rest, value) : item]),
  )
}

function toLabel(path: readonly (string | number)[], value: Json): string {
  const text = JSON.stringify(value)
  return `${path.slice(1).join('.')}=${text.length > 60 ? `${text.slice(0, 57)}...` : text}`
}

/**
 * All combinations of a case, in the file's order. A case without alternatives has one, without a
 * label.
 *
 * @throws {Unsupported} if there are more than 5 000
 */
export function toVariants(steps: readonly Json[]): Variant[] {
  const forks = steps.flatMap((step, index) => stepForks(step, [index]))
  const count = forks.reduce((product, fork) => product * fork.options.length, 1)
  if (count > MAX_VARIANTS) throw new Unsupported(`${count} combinations, at most ${MAX_VARIANTS} are run`)
  let variants: { labels: string[]; steps: Json }[] = [{ labels: [], steps }]
  for (const { path, options } of forks) {
    variants = variants.flatMap((variant) =>
      options.map((option) => ({
        labels: options.length === 1 ? variant.labels : [...variant.labels, toLabel(path, option)],
        steps: replace(variant.steps, path, option),
      })),
    )
  }
  return variants.map(({ labels, steps: chosen }) => ({
    label: labels.join(' '),
    steps: isList(chosen) ? chosen : [],
  }))
}
