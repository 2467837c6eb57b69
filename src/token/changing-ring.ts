/**
 * A key ring that loads its keys, and loads them again: so keys are rotated without a restart. The
 * last good keys stay while loading fails. There is no timer: each use of the ring looks at the
 * time that it is given, starts a load ahead of need, and waits for one that is overdue. So an idle
 * process never uses old keys, and a busy one never waits.
 */
import { AuthError } from '../errors.ts'
import type { Awaitable } from '../internal/awaitable.ts'
import {
  ConfigurationError,
  checkKnownKeys,
  describeType,
  expected,
  isCallable,
  isRecord,
} from '../internal/configuration-error.ts'
import { type Clock, type Duration, toSeconds } from '../internal/duration.ts'
import { emit, type Listeners } from '../internal/listeners.ts'
import { keysOf, readFunction, readOptionGroup } from '../internal/read-options.ts'
import { OUTLIVES_REQUESTS } from '../internal/request-scope.ts'
import { warn } from '../internal/warn.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import {
  type ImportedKey,
  type ImportedKeys,
  importKeySet,
  importKeys,
  type KeySet,
  type RingKeys,
} from './import-keys.ts'
import { toThumbprint } from './jwk.ts'
import { readKeyFile } from './key-file.ts'
import type { RemoteSign } from './remote-signer.ts'
import {
  buildRing,
  type Jwks,
  type KeyRing,
  type KeyRingState,
  type RingChanges,
  type RingKey,
  type RingSigner,
} from './ring.ts'

/** What `load` returns: the keys of a ring, a key set with a schedule, or the JSON text of one. */
export type LoadedKeys = RingKeys | KeySet | string

/** The events of a ring that loads its keys. No event holds a key. */
export interface KeyEvents {
  /** Other keys verify, or another key signs; also after the first load. */
  readonly keysChanged: Pick<KeyRingState, 'signing' | 'verifying'>
  /** Keys could not be loaded, or did not fit: the last good ones stay. */
  readonly keysFailed: {
    /** Why. */
    readonly error: unknown
    /** Since when loading has failed, in epoch seconds. */
    readonly since: number
  }
}

/** What `createKeyRing` takes to load keys again and again. */
export interface ReloadOptions {
  /**
   * Where the keys are: the path of a JSON file, or a function. A load that throws, takes over 5 s,
   * or returns keys that do not fit changes nothing. Before the first good load, whatever needs a
   * key is `store_unavailable` (503).
   */
  readonly load: string | URL | (() => Awaitable<LoadedKeys>)
  /**
   * How old the keys may be, from 1 s to 1 day. Loading begins at half of it. Cached tokens are
   * verified again after it, so that a removed key verifies nothing any more. Default `'1m'`.
   */
  readonly every?: Duration
  /** Listeners. Default none; then the process warns of the first failure. */
  readonly on?: Listeners<KeyEvents>
}

const OPTION_NAMES = keysOf<ReloadOptions>({ load: true, every: true, on: true })
const EVENT_NAMES = keysOf<KeyEvents>({ keysChanged: true, keysFailed: true })

/** How long a load may take, in seconds. */
const DEADLINE = 5

/** How soon a load is repeated that failed, or for an unknown key: a share of `every`. */
const RETRY_SHARE = 0.1

/** The shortest such time, in seconds. */
const MIN_RETRY = 1

/** Bounds of `every`, in seconds. */
const EVERY_BOUNDS = { min: 1, max: 86_400 } as const

/** Keys that were loaded and fit. */
interface GoodKeys {
  readonly ring: KeyRing
  /** When another key begins to sign, in epoch seconds. */
  readonly switchAt: number
  /** Equal for equal keys. */
  readonly print: string
  /** What signs elsewhere; null for nothing. */
  readonly remote: RemoteSign | null
  /** What was loaded, to decide again which key signs. */
  readonly loaded: LoadedKeys
}

/** A key ring whose keys are loaded. */
export class ChangingRing implements KeyRing, RingChanges {
  readonly #load: () => Awaitable<LoadedKeys>
  readonly #every: number
  readonly #retry: number
  readonly #on: Listeners<KeyEvents>
  #good: GoodKeys | null = null
  #loading: Promise<void> | null = null
  #failure: unknown
  #loadedAt: number | null = null
  #failedSince: number | null = null
  #triedAt = Number.NEGATIVE_INFINITY
  /** When the next load begins, and from when it is waited for. */
  #soonAt = Number.NEGATIVE_INFINITY
  #dueAt = Number.NEGATIVE_INFINITY

  /** @throws {ConfigurationError} for options of the wrong shape */
  constructor(options: ReloadOptions) {
    checkKnownKeys('', options, OPTION_NAMES)
    const { load, every = '1m', on } = options
    if (isCallable(load)) this.#load = load as () => Awaitable<LoadedKeys>
    else if (load instanceof URL || (typeof load === 'string' && load !== '')) {
      this.#load = () => readKeyFile(load)
    } else throw new ConfigurationError(expected('load', 'the path of a file, or a function', load))
    this.#every = toSeconds('every', every, EVERY_BOUNDS)
    this.#retry = Math.max(MIN_RETRY, this.#every * RETRY_SHARE)
    this.#on = readOptionGroup('on', on, EVENT_NAMES)
    for (const name of EVENT_NAMES) readFunction(`on.${name}`, this.#on[name])
  }

  get signer(): RingSigner | null {
    return this.#good?.ring.signer ?? null
  }

  get keys(): readonly RingKey[] {
    return this.#good?.ring.keys ?? NO_KEYS
  }

  get jwks(): Jwks {
    return this.#get().ring.jwks
  }

  currentJwks(clock: Clock): Jwks {
    return this.#get().ring.currentJwks(clock)
  }

  get changes(): RingChanges {
    return this
  }

  get validUntil(): number {
    const nextLoad = this.#failedSince === null ? this.#dueAt : this.#soonAt
    return Math.min(nextLoad, this.#good?.switchAt ?? Number.POSITIVE_INFINITY)
  }

  state(): KeyRingState {
    return {
      loadedAt: this.#loadedAt,
      failedSince: this.#failedSince,
      signing: this.signer?.kid ?? null,
      verifying: this.keys.map(({ kid }) => kid),
    }
  }

  current(now: number): Promise<void> | undefined {
    if (this.#good !== null && now >= this.#good.switchAt) this.#switch(this.#good, now)
    // A clock that was set back must not end the loading. A load that runs has its own deadline.
    const isEarly = now < this.#soonAt && now >= this.#triedAt
    if (isEarly && this.#loading === null)
      return this.#good === null ? Promise.resolve().then(() => void this.#get()) : undefined
    const loading = this.#loadOnce(now)
    if (this.#good !== null && now < this.#dueAt) return undefined
    return loading.then(() => void this.#get())
  }

  async reload(now: number): Promise<void> {
    const isEarly = now < this.#triedAt + this.#retry && now >= this.#triedAt
    if (!isEarly || this.#loading !== null) await this.#loadOnce(now)
  }

  /** The last good keys. @throws {AuthError} `store_unavailable` where there are none yet */
  #get(): GoodKeys {
    if (this.#good !== null) return this.#good
    throw new AuthError('store_unavailable', {
      cause: new Error('The keys could not be loaded yet', { cause: this.#failure }),
      detail: { retryAfter: 1 },
    })
  }

  #loadOnce(now: number): Promise<void> {
    if (!OUTLIVES_REQUESTS) return this.#tryLoad(now)
    this.#loading ??= this.#tryLoad(now).finally(() => {
      this.#loading = null
    })
    return this.#loading
  }

  async #tryLoad(now: number): Promise<void> {
    this.#triedAt = now
    try {
      this.#apply(await withDeadline('load', DEADLINE, this.#load), now)
      this.#loadedAt = now
      this.#failedSince = null
      this.#soonAt = now + this.#every / 2
      this.#dueAt = now + this.#every
    } catch (error) {
      this.#fail(error, now)
    }
  }

  /** Keeps what there is, and tries again later, without keeping a request waiting. */
  #fail(error: unknown, now: number): void {
    this.#failure = error
    const isFirst = this.#failedSince === null
    this.#failedSince ??= now
    this.#soonAt = now + (this.#good === null ? MIN_RETRY : this.#retry)
    this.#dueAt = Number.POSITIVE_INFINITY
    emit(this.#on, 'keysFailed', { error, since: this.#failedSince })
    if (!isFirst || this.#on.keysFailed !== undefined) return
    const reason = error instanceof ConfigurationError ? `: ${error.message}` : ''
    warn(
      'TOKENWRIGHT_KEYS_FAILED',
      `The keys could not be loaded${reason}. ${this.#good === null ? 'Every request that needs one is 503' : 'The last good ones stay'}. Give \`on.keysFailed\` to learn of each failure.`,
    )
  }

  /** Decides again which key signs: its time has come, whether or not anything can be loaded. */
  #switch({ loaded }: GoodKeys, now: number): void {
    this.#apply(loaded, now)
  }

  /**
   * Takes keys, unless they do not fit. Equal keys stay the same objects, with what is prepared.
   */
  #apply(loaded: LoadedKeys, now: number): void {
    const imported = importLoaded(loaded, now)
    const { signing, all, switchAt } = imported
    const before = this.#good
    if (before !== null && before.ring.signer !== null && signing === null)
      throw new ConfigurationError('Expected the loaded keys to hold one that signs, as those before do')
    const print = toPrint(imported)
    const remote = signing?.remote ?? null
    const isSame = print === before?.print && remote === before.remote
    this.#good = { ring: isSame ? before.ring : buildRing(imported), switchAt, print, remote, loaded }
    if (print === before?.print) return
    emit(this.#on, 'keysChanged', {
      signing: signing?.kid ?? null,
      verifying: all.map(({ kid }) => kid),
    })
  }
}

const NO_KEYS: KeyRing['keys'] = Object.freeze([])

/** Imports what `load` returned. */
function importLoaded(loaded: LoadedKeys, now: number): ImportedKeys {
  const value: unknown = typeof loaded === 'string' ? parseSet(loaded) : loaded
  if (!isRecord(value))
    throw new ConfigurationError(
      `Expected \`load\` to return { keys } or { signing, verifying }, got ${describeType(value)}`,
    )
  return Object.hasOwn(value, 'keys')
    ? importKeySet(value as unknown as KeySet, now)
    : importKeys(value as RingKeys)
}

function parseSet(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes the text.
    throw new ConfigurationError(
      'Expected the loaded keys to be the JSON of a key set, got other text: is the file written whole?',
    )
  }
}

/** What distinguishes keys from others: the keys, their names, and when they end. */
function toPrint({ signing, all }: ImportedKeys): string {
  const toRow = ({ algorithm, key, kid, isNamed, notAfter }: ImportedKey) =>
    [algorithm.name, kid, isNamed, notAfter, toThumbprint(key, algorithm.kty)].join(' ')
  return [signing?.kid ?? '', ...all.map(toRow)].join('\n')
}
