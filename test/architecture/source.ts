/** Reads TypeScript sources into what the house rules look at: syntax tree, imports, comments, lines. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type EcmaScriptModule, parseSync } from 'oxc-parser'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A syntax node, read structurally: the rules look at a handful of node types and ignore the rest. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

export interface Import {
  readonly specifier: string
  /** Whether nothing of it is left at run time. */
  readonly typeOnly: boolean
  readonly start: number
}

export interface Source {
  /** Relative to the repository, with forward slashes. */
  readonly path: string
  readonly text: string
  readonly program: Node
  readonly module: EcmaScriptModule
  /** Where each `/** … *\/` ends. */
  readonly docEnds: readonly number[]
  readonly imports: readonly Import[]
}

export function parseSource(path: string, text: string): Source {
  const parsed = parseSync(path, text)
  const [error] = parsed.errors
  if (error) throw new Error(`${path}: ${error.message}`)
  const program = parsed.program as unknown as Node
  const docs = parsed.comments.filter((comment) => comment.type === 'Block' && comment.value.startsWith('*'))
  const docEnds = docs.map((comment) => comment.end)
  return { path, text, program, module: parsed.module, docEnds, imports: importsOf(program) }
}

/** Every `.ts` file under a folder of the repository, parsed. */
export function readSources(folder: string): Source[] {
  let entries: string[]
  try {
    entries = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
  } catch {
    return []
  }
  return entries
    .map((entry) => posix.join(folder, entry.replaceAll('\\', '/')))
    .filter((path) => path.endsWith('.ts') && !path.includes('node_modules/'))
    .sort()
    .map((path) => parseSource(path, readFileSync(join(ROOT, path), 'utf8')))
}

/** `file:line` of a place in a source, as editors and terminals open it. */
export function at(source: Source, offset: number): string {
  return `${source.path}:${lineOf(source, offset)}`
}

export function lineOf(source: Source, offset: number): number {
  return source.text.slice(0, offset).split('\n').length
}

export function lineCount(source: Source): number {
  return source.text.split('\n').length - (source.text.endsWith('\n') ? 1 : 0)
}

/** Every node under a node, itself first, with its parent. */
export function* walk(node: Node, parent?: Node): Generator<{ node: Node; parent: Node | undefined }> {
  yield { node, parent }
  for (const child of childrenOf(node)) yield* walk(child, node)
}

export function childrenOf(node: Node): Node[] {
  return Object.values(node).flatMap((value) =>
    Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [],
  )
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
}

/** The path that a relative specifier names, relative to the repository; undefined for packages. */
export function resolveImport(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(dirname(from), specifier) : undefined
}

function importsOf(program: Node): Import[] {
  return [...walk(program)].flatMap(({ node }) => {
    const source = node['source']
    const value = isNode(source) ? source['value'] : undefined
    if (typeof value !== 'string') return []
    // `import { type X }` is no type-only import: verbatimModuleSyntax leaves `import {}` behind at run time.
    const typeOnly =
      node.type === 'TSImportType' || node['importKind'] === 'type' || node['exportKind'] === 'type'
    return [{ specifier: value, typeOnly, start: node.start }]
  })
}
