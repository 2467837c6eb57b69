/** What modules export: no two meanings of one name, and nothing at the root of src/ but entry points. */
import { isNode, type Node, type Source } from './source.ts'

/**
 * Names that several files export on purpose, because each means the same for its framework. The
 * files are those of src/adapters/ and src/stores/; anywhere else a name is exported once.
 */
const SAME_MEANING = new Set(['guards', 'Guards', 'GuardOptions', 'AuthVariables'])

/** Names that two files declare and export. A re-export declares nothing. */
export function checkExportedOnce(sources: readonly Source[]): string[] {
  const places = new Map<string, string[]>()
  for (const source of sources) {
    for (const name of declaredExports(source)) places.set(name, [...(places.get(name) ?? []), source.path])
  }
  return [...places].flatMap(([name, paths]) => {
    const others = paths.filter((path) => !(SAME_MEANING.has(name) && path.startsWith('src/adapters/')))
    return others.length > 1
      ? [`${others[0]}:1 exports ${name}, and so does ${others.slice(1).join(', ')}`]
      : []
  })
}

/** Files at the root of src/ that are no entry point. `errors.ts` is the one module that every layer may use. */
export function checkRoot(
  paths: readonly string[],
  { exports, bin }: { exports: Readonly<Record<string, unknown>>; bin: Readonly<Record<string, string>> },
): string[] {
  const targets = JSON.stringify([exports, bin])
  return paths
    .filter((path) => /^src\/[^/]+\.tsx?$/.test(path) && path !== 'src/errors.ts')
    .filter(
      (path) => !targets.includes(`"./dist/esm/${path.replace(/^src\//, '').replace(/\.tsx?$/, '.js')}"`),
    )
    .map((path) => `${path}:1 lies at the root of src/ and is no entry point`)
}

/** Names that a source both declares and exports, overloads once. */
function declaredExports(source: Source): Set<string> {
  const body = source.program['body'] as Node[]
  const imports = source.module.staticImports.flatMap((statement) => statement.entries)
  const imported = new Set(imports.map((entry) => entry.localName.value))
  return new Set(
    body.flatMap((node) => {
      if (node.type !== 'ExportNamedDeclaration' || isNode(node['source'])) return []
      if (isNode(node['declaration'])) return declaredNames(node['declaration'])
      const own = (node['specifiers'] as Node[]).filter((entry) => !imported.has(nameOf(entry['local'])))
      return own.map((entry) => nameOf(entry['exported']))
    }),
  )
}

function nameOf(node: unknown): string {
  return isNode(node) ? String(node['name']) : ''
}

/** The names that one statement declares. */
export function declaredNames(declaration: Node): string[] {
  const ids =
    declaration.type === 'VariableDeclaration'
      ? (declaration['declarations'] as Node[]).map((each) => each['id'])
      : [declaration['id']]
  return ids.filter(isNode).map((id) => String(id['name']))
}
