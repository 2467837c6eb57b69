/**
 * Detects that one application has several memory stores: if a framework or bundler loads a module
 * twice, each copy has a store of its own, and does not know the logins of the other. All copies of
 * this module share one registry on `globalThis`.
 */
import { warn } from '../../internal/warn.ts'
import { toWeakReference, type WeakReference } from '../../internal/weak-reference.ts'

/** The rows of a store, by session identifiers. */
type Rows = ReadonlyMap<string, unknown>

interface Registry {
  /** The rows of all stores of this process, without those that were garbage collected. */
  readonly stores: Set<WeakReference<Rows>>
  /** The copies of this module that made a store. */
  readonly copies: Set<symbol>
  warned: boolean
}

const REGISTRY = Symbol.for('tokenwright.memoryStores')
const COPY = Symbol('copy of this module')

const WARNING =
  'This process has several memory stores, and a session of one is unknown to the others: a module that ' +
  'calls memoryStore() was loaded more than once. Use one for the whole process: ' +
  '`const store = (globalThis.sessionStore ??= memoryStore())`, or use a store outside of the process'

/** Adds a new store to the registry; warns if another copy of this module has made one. */
export function registerMemoryStore(rows: Rows): void {
  const registry = getRegistry()
  for (const known of registry.stores) if (known.deref() === undefined) registry.stores.delete(known)
  registry.stores.add(toWeakReference(rows))
  registry.copies.add(COPY)
  if (registry.copies.size > 1) warnOnce(registry)
}

/** Warns if a session that one store does not know is in another one. */
export function warnIfInOtherStore(rows: Rows, sid: string): void {
  const registry = getRegistry()
  for (const known of registry.stores) {
    const other = known.deref()
    if (other === undefined || other === rows || !other.has(sid)) continue
    warnOnce(registry)
    return
  }
}

function getRegistry(): Registry {
  const holder = globalThis as { [REGISTRY]?: Registry }
  holder[REGISTRY] ??= { stores: new Set(), copies: new Set(), warned: false }
  return holder[REGISTRY]
}

function warnOnce(registry: Registry): void {
  if (registry.warned) return
  registry.warned = true
  warn('TOKENWRIGHT_MEMORY_STORES', WARNING)
}
