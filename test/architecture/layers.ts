/** The floors: who may import whom, no circles, and doors that match package.json's "exports". */
import { builtinModules } from 'node:module'
import { at, type Import, resolveImport, type Source } from './source.ts'

type Room =
  | 'errors'
  | 'base'
  | 'token'
  | 'session'
  | 'http'
  | 'options'
  | 'settings'
  | 'lifetimes'
  | 'issuance'
  | 'draft'
  | 'guard'
  | 'route'
  | 'liveness'
  | 'standing'
  | 'admission'
  | 'openapi'
  | 'events'
  | 'auth'
  | Door
type Door = 'index' | 'stores' | 'adapters' | 'routes' | 'client' | 'react' | 'testing' | 'cli'

const GROUND: Room[] = ['errors', 'base']
const TOKEN: Room[] = [...GROUND, 'token']
const SECOND: Room[] = [...TOKEN, 'session', 'http']
const THIRD: Room[] = [
  ...SECOND,
  'options',
  'settings',
  'lifetimes',
  'issuance',
  'draft',
  'events',
  'route',
  'liveness',
  'standing',
  'admission',
  'openapi',
  'guard',
  'auth',
]
const AUTH_TYPE: Room[] = ['http', 'errors', 'base']

/**
 * What each room may import: `values` at run time, `types` with `import type`. One row per room.
 * Adapters and routes know an Auth object, not how it is made: what they run comes from http/ and errors.
 */
const MAY_IMPORT: Record<Room, { values: readonly Room[]; types: readonly Room[] }> = {
  errors: { values: GROUND, types: GROUND },
  base: { values: GROUND, types: GROUND },
  token: { values: TOKEN, types: TOKEN },
  session: { values: [...TOKEN, 'session'], types: [...TOKEN, 'session'] },
  http: { values: [...TOKEN, 'http'], types: [...TOKEN, 'http'] },
  options: { values: THIRD, types: THIRD },
  settings: { values: THIRD, types: THIRD },
  lifetimes: { values: THIRD, types: THIRD },
  issuance: { values: THIRD, types: THIRD },
  draft: { values: THIRD, types: THIRD },
  events: { values: THIRD, types: THIRD },
  route: { values: THIRD, types: THIRD },
  liveness: { values: THIRD, types: THIRD },
  standing: { values: THIRD, types: THIRD },
  admission: { values: THIRD, types: THIRD },
  openapi: { values: THIRD, types: THIRD },
  guard: { values: THIRD, types: THIRD },
  auth: { values: THIRD, types: THIRD },
  index: { values: THIRD, types: THIRD },
  stores: { values: GROUND, types: GROUND },
  adapters: { values: AUTH_TYPE, types: THIRD },
  routes: { values: AUTH_TYPE, types: THIRD },
  client: { values: [], types: THIRD },
  // The one door that another knows, by its types: a provider of the client.
  react: { values: [], types: ['client'] },
  testing: { values: THIRD, types: THIRD },
  cli: { values: THIRD, types: THIRD },
}

/** Single files that a room may import beyond its row. */
const ALSO: Partial<Record<Room, readonly string[]>> = {
  stores: ['src/session/store.ts', 'src/session/rotation.ts'],
  cli: ['src/stores/sql.ts'],
}

/** Packages that a door, and the rooms behind it, may import at run time. Everything else of a peer is `import type`. */
const RUNTIME_PACKAGES: Record<string, readonly string[]> = {
  'src/adapters/nest.ts': ['@nestjs/common'],
  'src/react.ts': ['react'],
  'src/routes/throttle/memory-limiter.ts': ['rate-limiter-flexible'],
}

const BUILTINS = new Set(builtinModules)
const DOORS: readonly Room[] = ['index', 'stores', 'adapters', 'routes', 'client', 'react', 'testing', 'cli']

/** The room that a file of src/ belongs to; undefined when the house has none for it. */
export function roomOf(path: string): Room | undefined {
  const [, first = '', ...rest] = path.split('/')
  const folder = rest.length > 0
  const name = folder ? first : first.replace(/\.ts$/, '')
  const isFolder = ['base', 'token', 'session', 'http', 'stores', 'adapters'].includes(name)
  const hasRoomsBehind = ['testing', 'routes', 'client'].includes(name)
  return Object.hasOwn(MAY_IMPORT, name) && (folder === isFolder || hasRoomsBehind)
    ? (name as Room)
    : undefined
}

/** Imports that go up, sideways, into another door, or to a package. */
export function checkFloors(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const room = roomOf(source.path)
    if (room === undefined)
      return [`${source.path}:1 is in no room of the house (see CONTRIBUTING.md, "The floors")`]
    return source.imports.flatMap((entry) => {
      const reason = refusal(source.path, room, entry)
      return reason ? [`${at(source, entry.start)} ${reason}`] : []
    })
  })
}

function refusal(path: string, room: Room, entry: Import): string | undefined {
  const target = resolveImport(path, entry.specifier)
  if (target === undefined) return packageRefusal(path, room, entry)
  const there = roomOf(target)
  if (!target.startsWith('src/') || there === undefined)
    return `imports ${target}, which is no room of the library`
  const isClient = room === 'react' && target === 'src/client.ts' && entry.typeOnly
  // A command is nobody's library: it comes in by a door as its users do.
  const isGuest = isClient || (room === 'cli' && ALSO.cli?.includes(target))
  if (DOORS.includes(there) && !isBehind(path, target) && !isGuest)
    return `imports ${target}: no door is imported from within`
  if (isBehind(path, target)) return undefined
  const { values, types } = MAY_IMPORT[room]
  if (ALSO[room]?.includes(target)) return undefined
  if ((entry.typeOnly ? types : values).includes(there)) return undefined
  const how = entry.typeOnly
    ? 'types'
    : types.includes(there)
      ? 'anything but types (import type)'
      : 'anything'
  return `imports ${target}: ${room} may not import ${how} from ${there}`
}

/** Whether a file is a room behind the door that imports it, or behind the same door: `stores/sql/a.ts` for `stores/sql.ts`. */
function isBehind(path: string, target: string): boolean {
  const door = target.split('/').slice(0, -1).join('/')
  return isRoomBehind(door) && (path === `${door}.ts` || path.startsWith(`${door}/`))
}

function isRoomBehind(folder: string): boolean {
  return /^src\/(?:(?:stores|adapters)\/[^/]+|testing|routes|client)$/.test(folder)
}

/** The door that a room is behind, or the file itself. */
function behindDoor(path: string): string {
  return path.replace(/^(src\/adapters\/[^/]+)\/.+$/, '$1.ts')
}

function packageRefusal(path: string, room: Room, { specifier, typeOnly }: Import): string | undefined {
  if (specifier.startsWith('node:')) {
    return room === 'client' ? `imports ${specifier}: the client runs in browsers` : undefined
  }
  if (BUILTINS.has(specifier)) return `imports ${specifier}: write node:${specifier}`
  const allowed =
    RUNTIME_PACKAGES[behindDoor(path)]?.includes(specifier) || (typeOnly && DOORS.includes(room))
  if (allowed) return undefined
  return `imports the package ${specifier}${typeOnly ? '' : ' at run time'}: the library has no dependencies`
}

/** Circles of imports, type-only imports included, each as the chain of its files. */
export function checkCycles(sources: readonly Source[]): string[] {
  const graph = new Map(
    sources.map((source) => {
      const targets = source.imports.map((entry) => resolveImport(source.path, entry.specifier))
      return [source.path, targets.filter((target) => target !== undefined)] as const
    }),
  )
  const circles: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) circles.push(`${path}:1 imports itself: ${[...trail.slice(start), path].join(' -> ')}`)
    if (start >= 0 || done.has(path)) return
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return circles
}

/** Door files and "exports" entries that do not go together one to one, and entries of the wrong form. */
export function checkDoors(paths: readonly string[], exports: Readonly<Record<string, unknown>>): string[] {
  const doors = new Map(paths.filter(isDoorFile).map((path) => [doorOf(path), path]))
  const problems: string[] = []
  for (const [door, path] of doors) {
    const file = path.replace(/^src\//, './dist/src/').replace(/\.ts$/, '')
    const wanted = JSON.stringify({ types: `${file}.d.ts`, default: `${file}.js` })
    const found = JSON.stringify(exports[door])
    if (found !== wanted)
      problems.push(`package.json: "exports" should have "${door}": ${wanted}, has ${found}`)
  }
  for (const door of Object.keys(exports)) {
    if (door !== './package.json' && !doors.has(door))
      problems.push(`package.json: "exports" has ${door}, but no file is that door`)
  }
  return problems
}

function isDoorFile(path: string): boolean {
  const room = roomOf(path)
  // A folder below stores/, adapters/ or testing/ holds the rooms behind a door, and no door.
  const depth = ['stores', 'adapters'].includes(room ?? '') ? 3 : 2
  return room !== undefined && room !== 'cli' && DOORS.includes(room) && path.split('/').length === depth
}

function doorOf(path: string): string {
  const name = path.replace(/^src\/(adapters\/)?/, './').replace(/\.ts$/, '')
  return name === './index' ? '.' : name
}
