/**
 * What the client takes from its surroundings: fetch, a clock, a timer, and in browsers Web Locks, BroadcastChannel, cookies
 * and storage. What a runtime does not have is undefined, and the client does without: one process is one tab. Times are
 * epoch seconds by the wall clock, because that one goes on while a laptop sleeps.
 */

/** Web Locks, as far as they are used. */
export interface TabLocks {
  /** Runs the work while nobody else of this origin holds the lock of that name. */
  request<T>(name: string, options: { readonly signal?: AbortSignal }, work: () => Promise<T>): Promise<T>
  /** Which locks are held now. */
  query(): Promise<{ readonly held?: readonly { readonly name?: string }[] }>
}

/** A BroadcastChannel, as far as it is used. */
export interface TabChannel {
  /** Called with what another tab posts. */
  onmessage: ((event: { readonly data: unknown }) => void) | null
  /** Posts to every other tab of this origin. */
  postMessage(message: unknown): void
  /** Ends it. */
  close(): void
  /** Node: lets the process end though the channel is open. */
  unref?(): void
}

/** Where something is kept between page loads: `localStorage`, `sessionStorage`, React Native's AsyncStorage, or your own. */
export interface TokenStorage {
  /** Reads; null when there is nothing. */
  getItem(key: string): string | null | Promise<string | null>
  /** Writes. */
  setItem(key: string, value: string): unknown
  /** Removes. */
  removeItem(key: string): unknown
}

/** The surroundings. */
export interface Platform {
  /** Sends a request. */
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>
  /** The wall clock, in epoch seconds. */
  readonly now: () => number
  /** Runs something once after so many seconds; what it returns takes that back. */
  readonly after: (seconds: number, run: () => void) => () => void
  /** Web Locks; undefined outside secure contexts and browsers. */
  readonly locks: TabLocks | undefined
  /** Opens a channel to the other tabs; undefined where there are none. */
  readonly open: ((name: string) => TabChannel) | undefined
  /** The page's address; undefined outside browsers. */
  readonly location: string | undefined
  /** The cookies that scripts may read, as `document.cookie` has them. */
  readonly cookies: () => string
  /** The page's `localStorage`; undefined where there is none or it is forbidden. */
  readonly storage: () => TokenStorage | undefined
}

/** What is looked up among the globals; types of browsers and of Node differ, so it is written down here. */
interface Globals {
  readonly navigator?: { readonly locks?: TabLocks }
  readonly document?: { readonly cookie: string }
  readonly location?: { readonly href: string }
  readonly localStorage?: TokenStorage
  readonly BroadcastChannel?: new (name: string) => TabChannel
}

/** Reads the surroundings. Global functions are looked up at each call, so that whoever replaces `fetch` later is heard. */
export function readPlatform(): Platform {
  const globals = globalThis as unknown as Globals
  const { BroadcastChannel: Channel, document, location, navigator } = globals
  return {
    fetch: (input, init) => globalThis.fetch(input, init),
    now: () => Date.now() / 1000,
    after: (seconds, run) => {
      const timer = setTimeout(run, seconds * 1000)
      return () => clearTimeout(timer)
    },
    locks: navigator?.locks,
    open: Channel && ((name) => new Channel(name)),
    location: document && location?.href,
    cookies: () => document?.cookie ?? '',
    storage: () => {
      try {
        return globals.localStorage
      } catch {
        return undefined
      }
    },
  }
}
