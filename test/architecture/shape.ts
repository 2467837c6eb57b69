/** Names and sizes: files, functions, parameters, and what must not be written. */
import { at, lineCount, lineOf, type Node, type Source, walk } from './source.ts'

/** Names that say nothing about what is in the file. */
const CATCH_ALLS = /^(utils?|helpers?|common|types|lib|core|managers?|services?|misc|shared)$/

/** Where the challenge may be named: its writer, and the client's reader. */
const CHALLENGE = new Set(['src/http/error-response.ts', 'src/client/client-error.ts'])

export const LIMITS = { file: 350, fileMedian: 130, function: 80, functionP90: 35, parameters: 4 }

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])
const SIGNATURES = new Set([
  'TSFunctionType',
  'TSMethodSignature',
  'TSDeclareFunction',
  'TSCallSignatureDeclaration',
])

/** Catch-alls, and names that are not kebab-case. */
export function checkNames(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const names = path.replace(/\.ts$/, '').split('/').slice(1)
    const catchAll = names.find((name) => CATCH_ALLS.test(name))
    if (catchAll) return [`${path}:1 "${catchAll}" is a catch-all: name the file after what is in it`]
    const odd = names.find((name) => !/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name))
    return odd ? [`${path}:1 "${odd}" is not kebab-case`] : []
  })
}

/** Files over the limit. */
export function checkFiles(sources: readonly Source[]): string[] {
  return sources
    .filter((source) => lineCount(source) > LIMITS.file)
    .map((source) => `${source.path}:1 has ${lineCount(source)} lines, the most is ${LIMITS.file}`)
}

/** Functions over the limit. */
export function checkFunctions(sources: readonly Source[]): string[] {
  return functionsOf(sources)
    .filter(({ lines }) => lines > LIMITS.function)
    .map(
      ({ source, node, lines }) =>
        `${at(source, node.start)} a function of ${lines} lines, the most is ${LIMITS.function}`,
    )
}

/** The median of the files and the 90th percentile of the functions that span more than one line. */
export function checkSpread(sources: readonly Source[]): string[] {
  const files = sources.map((source) => ({ where: `${source.path}:1`, lines: lineCount(source) }))
  const functions = functionsOf(sources)
    .filter(({ lines }) => lines > 1)
    .map(({ source, node, lines }) => ({ where: at(source, node.start), lines }))
  return [
    ...checkQuantile('the median file', files, 0.5, LIMITS.fileMedian),
    ...checkQuantile('the 90th percentile of functions', functions, 0.9, LIMITS.functionP90),
  ]
}

function checkQuantile(
  what: string,
  items: { where: string; lines: number }[],
  share: number,
  most: number,
): string[] {
  const sorted = items.toSorted((a, b) => a.lines - b.lines)
  const middle = sorted[Math.ceil(sorted.length * share) - 1]
  if (middle === undefined || middle.lines <= most) return []
  const longest = sorted.slice(-8).reverse()
  return [
    `${what} has ${middle.lines} lines, the most is ${most}. The longest:\n` +
      longest.map(({ where, lines }) => `  ${where} ${lines} lines`).join('\n'),
  ]
}

/** Functions and signatures with more parameters than one can keep in mind. */
export function checkParameters(sources: readonly Source[]): string[] {
  return nodesOf(sources).flatMap(({ source, node }) => {
    if (!FUNCTIONS.has(node.type) && !SIGNATURES.has(node.type)) return []
    const parameters = (node['params'] as Node[]).filter((parameter) => parameter['name'] !== 'this')
    if (parameters.length <= LIMITS.parameters) return []
    return [
      `${at(source, node.start)} takes ${parameters.length} parameters, the most is ${LIMITS.parameters}: then one object`,
    ]
  })
}

/** `any`, unless the line before it says why with a biome-ignore. */
export function checkAny(sources: readonly Source[]): string[] {
  return nodesOf(sources).flatMap(({ source, node }) => {
    if (node.type !== 'TSAnyKeyword') return []
    const before = source.text.split('\n')[lineOf(source, node.start) - 2] ?? ''
    return /biome-ignore lint\/suspicious\/noExplicitAny: \S/.test(before)
      ? []
      : [`${at(source, node.start)} any`]
  })
}

/** Augmentation of other people's types, which would reach into every program that installs the package. */
export function checkAugmentation(sources: readonly Source[]): string[] {
  return nodesOf(sources)
    .filter(({ node }) => node.type === 'TSModuleDeclaration' || node.type === 'TSGlobalDeclaration')
    .map(({ source, node }) => `${at(source, node.start)} declares into a module or the global scope`)
}

/**
 * A second writer of the challenge: string literals that name the header anywhere but in error-response.ts. The client, which has
 * answers only, reads it in one place.
 */
export function checkChallengeWriter(sources: readonly Source[]): string[] {
  return nodesOf(sources).flatMap(({ source, node }) => {
    const text =
      node.type === 'Literal'
        ? node['value']
        : node.type === 'TemplateElement'
          ? source.text.slice(node.start, node.end)
          : ''
    if (typeof text !== 'string' || !/www-authenticate/i.test(text) || CHALLENGE.has(source.path)) return []
    return [`${at(source, node.start)} names WWW-Authenticate: src/http/error-response.ts is its only writer`]
  })
}

/**
 * Errors of a type that says "wrong call" without the mark by which they are known. The client is
 * loaded by itself, and has nothing that asks.
 */
export function checkMisuse(sources: readonly Source[]): string[] {
  return nodesOf(sources)
    .filter(({ source, node }) => {
      const { name } = (node['callee'] ?? {}) as { readonly name?: string }
      const isWrongCall = node.type === 'NewExpression' && /^(?:Type|Range)Error$/.test(name ?? '')
      return isWrongCall && !/^src\/(?:client\/|internal\/configuration-error)/.test(source.path)
    })
    .map(({ source, node }) => `${at(source, node.start)} makes an error for a wrong call: use misuse()`)
}

/** Names in milliseconds: inside, times are epoch seconds and lengths are seconds. */
export function checkMilliseconds(sources: readonly Source[]): string[] {
  return nodesOf(sources)
    .filter(
      ({ node }) => node.type === 'Identifier' && /(Ms|Millis|Milliseconds)$/.test(String(node['name'])),
    )
    .map(({ source, node }) => `${at(source, node.start)} "${String(node['name'])}" counts milliseconds`)
}

/** Sources that do not open with a comment saying what the file is. */
export function checkOpenings(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const opening = /^(#!.*\n)?\/\*\*[\s\S]*?\*\//.exec(source.text)
    return opening
      ? []
      : [`${source.path}:1 does not open with /** what this file is, and what it does not do */`]
  })
}

/** Words that must not be in the repository: machine paths and registries' hosts. The words come from the caller. */
export function checkWords(
  files: Iterable<{ path: string; text: string }>,
  words: readonly string[],
): string[] {
  const found: string[] = []
  for (const { path, text } of files) {
    if (!words.some((word) => text.includes(word))) continue
    text.split('\n').forEach((line, index) => {
      const word = words.find((each) => line.includes(each))
      if (word) found.push(`${path}:${index + 1} says ${word}`)
    })
  }
  return found
}

function functionsOf(sources: readonly Source[]): { source: Source; node: Node; lines: number }[] {
  return nodesOf(sources)
    .filter(({ node }) => FUNCTIONS.has(node.type))
    .map(({ source, node }) => ({
      source,
      node,
      lines: lineOf(source, node.end) - lineOf(source, node.start) + 1,
    }))
}

function nodesOf(sources: readonly Source[]): { source: Source; node: Node }[] {
  return sources.flatMap((source) => [...walk(source.program)].map(({ node }) => ({ source, node })))
}
