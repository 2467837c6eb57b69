/**
 * The public surface: every declaration that a user of the package can name or is handed, from the
 * exports of the entry points through the types that they mention. Function bodies and private
 * members belong to nobody's surface.
 */
import { declaredNames } from './exports.ts'
import { childrenOf, isNode, type Node, resolveImport, type Source } from './source.ts'

export interface Declaration {
  readonly source: Source
  /** Where the statement starts, `export` included: this is what the comment stands before. */
  readonly outer: Node
  readonly inner: Node
}

interface Module {
  readonly source: Source
  readonly locals: ReadonlyMap<string, readonly Declaration[]>
  /** Local name of an import -> where it comes from. */
  readonly imports: ReadonlyMap<string, Origin>
  /** Exported name -> what it is. */
  readonly exports: ReadonlyMap<string, Origin>
}

/** A name in this module (no path), or an exported name of another. */
interface Origin {
  readonly path?: string
  readonly name: string
}

/** The declarations that are reachable from the entry points, each once. */
export function publicSurface(sources: readonly Source[], entries: readonly string[]): Declaration[] {
  const modules = new Map(sources.map((source) => [source.path, readModule(source)]))
  const seen = new Set<Node>()
  const found: Declaration[] = []

  const visitExport = (path: string, name: string): void => {
    const module = modules.get(path)
    const origin = module?.exports.get(name)
    if (module && origin) follow(module, origin)
  }
  const follow = (module: Module, origin: Origin): void => {
    if (origin.path === undefined) visitLocal(module, origin.name)
    else visitExport(origin.path, origin.name)
  }
  const visitLocal = (module: Module, name: string): void => {
    const imported = module.imports.get(name)
    if (imported) follow(module, imported)
    for (const declaration of module.locals.get(name) ?? []) {
      if (seen.has(declaration.outer)) continue
      seen.add(declaration.outer)
      found.push(declaration)
      for (const mentioned of typesIn(declaration.inner)) visitLocal(module, mentioned)
    }
  }

  for (const path of entries) {
    for (const name of modules.get(path)?.exports.keys() ?? []) visitExport(path, name)
  }
  return found
}

function readModule(source: Source): Module {
  const locals = new Map<string, Declaration[]>()
  const imports = new Map<string, Origin>()
  const exports = new Map<string, Origin>()
  for (const outer of source.program['body'] as Node[]) {
    const inner = isNode(outer['declaration']) ? outer['declaration'] : outer
    const names = declaredNames(inner)
    for (const name of names) locals.set(name, [...(locals.get(name) ?? []), { source, outer, inner }])
    if (outer.type === 'ExportDefaultDeclaration') {
      const name = names[0] ?? 'the default export'
      locals.set(name, [{ source, outer, inner }])
      exports.set('default', { name })
    } else if (outer.type === 'ExportNamedDeclaration') {
      for (const name of names) exports.set(name, { name })
      const path = pathOf(source, outer['source'])
      for (const { local, other } of specifiersOf(outer, 'exported')) {
        exports.set(other, { name: local, ...(path && { path }) })
      }
    } else if (outer.type === 'ImportDeclaration') {
      const path = pathOf(source, outer['source'])
      if (!path) continue
      for (const { local, other } of specifiersOf(outer, 'imported'))
        imports.set(local, { name: other, path })
    }
  }
  return { source, locals, imports, exports }
}

function pathOf(source: Source, literal: unknown): string | undefined {
  return isNode(literal) ? resolveImport(source.path, String(literal['value'])) : undefined
}

function specifiersOf(statement: Node, side: 'exported' | 'imported'): { local: string; other: string }[] {
  return ((statement['specifiers'] as Node[] | undefined) ?? []).flatMap((entry) => {
    const [local, other] = [entry['local'], entry[side]]
    return isNode(local) && isNode(other)
      ? [{ local: String(local['name']), other: String(other['name']) }]
      : []
  })
}

/** The names of the types, and of values in `typeof`, that a declaration mentions where users see it. */
function typesIn(node: Node): string[] {
  if (isHidden(node)) return []
  const subject =
    node['typeName'] ?? node['exprName'] ?? node['superClass'] ?? (isHeritage(node) && node['expression'])
  const own = isNode(subject) ? leftmost(subject) : undefined
  const children = childrenOf(withoutBody(node)).flatMap(typesIn)
  return own === undefined ? children : [own, ...children]
}

function isHidden(node: Node): boolean {
  const key = node['key']
  return node['accessibility'] === 'private' || (isNode(key) && key.type === 'PrivateIdentifier')
}

function isHeritage(node: Node): boolean {
  return node.type === 'TSInterfaceHeritage' || node.type === 'TSClassImplements'
}

function leftmost(node: Node): string | undefined {
  const left = node['left'] ?? node['object']
  if (isNode(left)) return leftmost(left)
  return node.type === 'Identifier' ? String(node['name']) : undefined
}

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])

/** A function without what it does, and a variable without its value where its type is written. */
function withoutBody(node: Node): Node {
  if (FUNCTIONS.has(node.type)) return { ...node, body: null }
  const id = node['id']
  const isTyped = node.type === 'VariableDeclarator' && isNode(id) && isNode(id['typeAnnotation'])
  return isTyped || node.type === 'PropertyDefinition' ? { ...node, init: null, value: null } : node
}
