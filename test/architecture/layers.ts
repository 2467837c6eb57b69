/**
 * The layers: who may import whom, no cycles, and entry points that match package.json's "exports".
 * CONTRIBUTING.md, "Layers", says the same in words.
 */
import { builtinModules } from 'node:module'
import { at, type Import, resolveImport, type Source } from './source.ts'

type Layer = 'errors' | 'internal' | 'token' | 'session' | 'http' | 'issuers' | 'remote' | 'auth' | EntryPoint
type EntryPoint = 'index' | 'stores' | 'adapters' | 'routes' | 'client' | 'react' | 'otel' | 'testing' | 'cli'

const BOTTOM: Layer[] = ['errors', 'internal']
const UP_TO_TOKEN: Layer[] = [...BOTTOM, 'token']
const UP_TO_HTTP: Layer[] = [...UP_TO_TOKEN, 'session', 'http', 'issuers', 'remote']
const UP_TO_AUTH: Layer[] = [...UP_TO_HTTP, 'auth']
const REQUESTS: Layer[] = ['http', 'errors', 'internal']

/**
 * What each layer may import: `values` at run time, `types` with `import type`. One row per layer.
 * Adapters and routes know an Auth object, not how it is made: what they run comes from http/ and errors.ts.
 */
const MAY_IMPORT: Record<Layer, { values: readonly Layer[]; types: readonly Layer[] }> = {
  errors: { values: BOTTOM, types: BOTTOM },
  internal: { values: BOTTOM, types: BOTTOM },
  token: { values: UP_TO_TOKEN, types: UP_TO_TOKEN },
  session: { values: [...UP_TO_TOKEN, 'session'], types: [...UP_TO_TOKEN, 'session'] },
  http: { values: [...UP_TO_TOKEN, 'http'], types: [...UP_TO_TOKEN, 'http'] },
  issuers: { values: [...UP_TO_TOKEN, 'issuers'], types: [...UP_TO_TOKEN, 'issuers'] },
  remote: {
    values: [...UP_TO_TOKEN, 'session', 'http', 'remote'],
    types: [...UP_TO_TOKEN, 'session', 'http', 'remote'],
  },
  auth: { values: UP_TO_AUTH, types: UP_TO_AUTH },
  index: { values: UP_TO_AUTH, types: UP_TO_AUTH },
  stores: { values: BOTTOM, types: BOTTOM },
  adapters: { values: REQUESTS, types: UP_TO_AUTH },
  routes: { values: REQUESTS, types: UP_TO_AUTH },
  client: { values: [], types: UP_TO_AUTH },
  // The one entry point that knows another, by its types: a provider of the client.
  react: { values: [], types: ['client'] },
  otel: { values: REQUESTS, types: UP_TO_AUTH },
  testing: { values: UP_TO_AUTH, types: UP_TO_AUTH },
  cli: { values: UP_TO_AUTH, types: UP_TO_AUTH },
}

/** The files of `auth/`, from the bottom to the top: each imports only what stands before it. */
export const AUTH_ORDER: readonly string[] = [
  'events',
  'options',
  'option-synonyms',
  'environment-table',
  'environment',
  'resolve-keys',
  'resolve-token-rules',
  'resolve-options',
  'requirement',
  'refusal-reporter',
  'token-claims',
  'issue-tokens',
  'connect-issuers',
  'revocation-check',
  'health',
  'session-api',
  'load-subject',
  'connect-backend',
  'one-time',
  'authenticate',
  'request-authenticator',
  'authenticator',
  'watch',
  'openapi',
  'auth',
  'operations',
  'create-auth',
  'create-realms',
  'create-tenants',
]

/** Single files that a layer may import beyond its row. */
const ALSO: Partial<Record<Layer, readonly string[]>> = {
  stores: [
    'src/session/store.ts',
    'src/session/session-row.ts',
    'src/session/rotation.ts',
    'src/session/transfer.ts',
  ],
  cli: ['src/stores/sql.ts', 'src/stores/redis.ts', 'src/stores/move.ts'],
}

/** Files that the entry points of a folder share, and nobody else imports. */
const SHARED: readonly string[] = [
  'src/adapters/guards.ts',
  'src/adapters/fetch-guards.ts',
  'src/adapters/lazy-auth.ts',
  'src/adapters/page-refresh.ts',
]

/** Packages that an entry point, and the files behind it, may import at run time. Everything else of a peer is `import type`. */
const RUNTIME_PACKAGES: Record<string, readonly string[]> = {
  'src/adapters/nest.ts': ['@nestjs/common'],
  'src/react.ts': ['react'],
}

const BUILTINS = new Set(builtinModules)
const ENTRY_POINTS: readonly Layer[] = [
  'index',
  'stores',
  'adapters',
  'routes',
  'client',
  'react',
  'otel',
  'testing',
  'cli',
]

/** The layer that a file of src/ belongs to; undefined when there is none for it. */
export function layerOf(path: string): Layer | undefined {
  const [, first = '', ...rest] = path.split('/')
  const name = rest.length > 0 ? first : first.replace(/\.ts$/, '')
  const isFolder = [...UP_TO_HTTP, 'auth', 'stores', 'adapters'].some(
    (one) => one === name && one !== 'errors',
  )
  const hasFolder = ['otel', 'testing', 'routes', 'client', 'cli'].includes(name)
  return Object.hasOwn(MAY_IMPORT, name) && (rest.length > 0 === isFolder || hasFolder)
    ? (name as Layer)
    : undefined
}

/** Imports that go up, sideways, into another entry point, or to a package. */
export function checkLayers(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const layer = layerOf(source.path)
    if (layer === undefined) return [`${source.path}:1 is in no layer (see CONTRIBUTING.md, "Layers")`]
    return source.imports.flatMap((entry) => {
      const reason = refusal(source.path, layer, entry)
      return reason ? [`${at(source, entry.start)} ${reason}`] : []
    })
  })
}

function refusal(path: string, layer: Layer, entry: Import): string | undefined {
  const target = resolveImport(path, entry.specifier)
  if (target === undefined) return packageRefusal(path, layer, entry)
  const there = layerOf(target)
  if (!target.startsWith('src/') || there === undefined)
    return `imports ${target}, which is no part of the library`
  const isClient = layer === 'react' && target === 'src/client.ts' && entry.typeOnly
  // A command imports an entry point as its users do.
  const isShared = SHARED.includes(target) && path.startsWith(target.slice(0, target.lastIndexOf('/') + 1))
  const isGuest = isClient || isShared || (layer === 'cli' && ALSO.cli?.includes(target))
  if (ENTRY_POINTS.includes(there) && !isBehind(path, target) && !isGuest)
    return `imports ${target}: no entry point is imported from within`
  if (isBehind(path, target) || isShared) return undefined
  if (layer === 'auth' && there === 'auth') return orderRefusal(path, target)
  const { values, types } = MAY_IMPORT[layer]
  if (ALSO[layer]?.includes(target)) return undefined
  if ((entry.typeOnly ? types : values).includes(there)) return undefined
  const how = entry.typeOnly
    ? 'types'
    : types.includes(there)
      ? 'anything but types (import type)'
      : 'anything'
  return `imports ${target}: ${layer} may not import ${how} from ${there}`
}

/** Inside `auth/` the order is declared. */
function orderRefusal(path: string, target: string): string | undefined {
  const [from, to] = [path, target].map((file) => AUTH_ORDER.indexOf(file.slice('src/auth/'.length, -3)))
  if (from === undefined || to === undefined || from < 0)
    return `${path} is not in the declared order of auth/`
  return to >= 0 && to < from ? undefined : `imports ${target}, which stands after it in the order of auth/`
}

/** Whether a file lies in the folder of the entry point that imports it, or of the same entry point: `stores/sql/a.ts` for `stores/sql.ts`. */
function isBehind(path: string, target: string): boolean {
  const folder = /^src\/(?:(?:stores|adapters)\/[^/]+|otel|testing|routes|client|cli)(?=\/)/.exec(target)?.[0]
  return folder !== undefined && (path === `${folder}.ts` || path.startsWith(`${folder}/`))
}

/** The entry point that a file belongs to, or the file itself. */
function entryPointOf(path: string): string {
  return path.replace(/^(src\/adapters\/[^/]+)\/.+$/, '$1.ts')
}

function packageRefusal(path: string, layer: Layer, { specifier, typeOnly }: Import): string | undefined {
  if (specifier.startsWith('node:')) {
    return layer === 'client' ? `imports ${specifier}: the client runs in browsers` : undefined
  }
  if (BUILTINS.has(specifier)) return `imports ${specifier}: write node:${specifier}`
  const allowed =
    RUNTIME_PACKAGES[entryPointOf(path)]?.includes(specifier) || (typeOnly && ENTRY_POINTS.includes(layer))
  if (allowed) return undefined
  return `imports the package ${specifier}${typeOnly ? '' : ' at run time'}: the library has no dependencies`
}

/** Cycles of imports, type-only imports included, each as the chain of its files. */
export function checkCycles(sources: readonly Source[]): string[] {
  const graph = new Map(
    sources.map((source) => {
      const targets = source.imports.map((entry) => resolveImport(source.path, entry.specifier))
      return [source.path, targets.filter((target) => target !== undefined)] as const
    }),
  )
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) cycles.push(`${path}:1 imports itself: ${[...trail.slice(start), path].join(' -> ')}`)
    if (start >= 0 || done.has(path)) return
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return cycles
}

/** Entry point files and "exports" entries that do not go together one to one, and entries of the wrong form. */
export function checkEntryPoints(
  paths: readonly string[],
  exports: Readonly<Record<string, unknown>>,
): string[] {
  const entryPoints = new Map(entryPointsOf(paths).map((path) => [exportOf(path), path]))
  const problems: string[] = []
  for (const [name, path] of entryPoints) {
    const file = path.replace(/^src\//, '').replace(/\.ts$/, '')
    const esm = { types: `./dist/src/${file}.d.ts`, default: `./dist/esm/${file}.js` }
    const cjs = { types: `./dist/cjs/${file}.d.ts`, default: `./dist/cjs/${file}.js` }
    // Node takes the ES module for `import` and for `require`: there is one copy of the library in a process.
    const wanted = JSON.stringify({ 'module-sync': esm, require: cjs, default: esm })
    const found = JSON.stringify(exports[name])
    if (found !== wanted)
      problems.push(`package.json: "exports" should have "${name}": ${wanted}, has ${found}`)
  }
  for (const name of Object.keys(exports)) {
    if (name !== './package.json' && !entryPoints.has(name))
      problems.push(`package.json: "exports" has ${name}, but no file is that entry point`)
  }
  return problems
}

/** The entry points among the files of src/, the command aside. */
export function entryPointsOf(paths: readonly string[]): string[] {
  return paths.filter(isEntryPointFile)
}

function isEntryPointFile(path: string): boolean {
  const layer = layerOf(path)
  // A folder below stores/, adapters/ or testing/ belongs to its entry point.
  const depth = ['stores', 'adapters'].includes(layer ?? '') ? 3 : 2
  if (SHARED.includes(path)) return false
  return (
    layer !== undefined && layer !== 'cli' && ENTRY_POINTS.includes(layer) && path.split('/').length === depth
  )
}

function exportOf(path: string): string {
  const name = path.replace(/^src\/(adapters\/)?/, './').replace(/\.ts$/, '')
  return name === './index' ? '.' : name
}
