/**
 * What the client uses of its runtime: fetch, a clock, a timer, and in browsers Web Locks,
 * BroadcastChannel, cookies and storage. What a runtime lacks is undefined and the client works
 * without it: one process is one tab. Times are epoch seconds by the wall clock, because a
 * monotonic clock may stop while a laptop sleeps.
 */

/** The part of Web Locks that the client uses. */
export interface TabLocks {
  /** Runs the work while no other tab of this origin holds the lock of that name. */
  request<T>(name: string, options: { readonly signal?: AbortSignal }, work: () => Promise<T>): Promise<T>
  /** Lists the locks that are held now. */
  query(): Promise<{ readonly held?: readonly { readonly name?: string }[] }>
}

/** The part of BroadcastChannel that the client uses. */
export interface TabChannel {
  /** Called with what another tab posts. */
  onmessage: ((event: { readonly data: unknown }) => void) | null
  /** Posts to every other tab of this origin. */
  postMessage(message: unknown): void
  /** Closes it. */
  close(): void
  /** Node: lets the process end though the channel is open. */
  unref?(): void
}

/**
 * Storage that outlives a page: `localStorage`, `sessionStorage`, React Native's AsyncStorage, or
 * your own.
 */
export interface TokenStorage {
  /** Reads a value; null without one. */
  getItem(key: string): string | null | Promise<string | null>
  /** Writes a value. */
  setItem(key: string, value: string): unknown
  /** Removes a value. */
  removeItem(key: string): unknown
}

/** What the client uses of its runtime. */
export interface Platform {
  /** Sends a request. */
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>
  /** The wall clock, in epoch seconds. */
  readonly now: () => number
  /** Runs a function once, after the given seconds. Returns a function that cancels it. */
  readonly after: (seconds: number, run: () => void) => () => void
  /** Web Locks; undefined outside secure contexts and browsers. */
  readonly locks: TabLocks | undefined
  /** Opens a channel to the other tabs; undefined where there are none. */
  readonly open: ((name: string) => TabChannel) | undefined
  /** The address of the page or worker; undefined outside browsers. */
  readonly location: string | undefined
  /** Whether the page is in a frame of another page. */
  readonly isFramed: boolean
  /**
   * Calls back when what the page knows may be out of date: `pageshow` from the back/forward cache,
   * `focus`, `visibilitychange`, `online` and `storage`. Returns a function that ends this.
   */
  readonly watch: (look: (event: string) => void) => () => void
  /** The cookies that scripts may read, in the form of `document.cookie`. */
  readonly cookies: () => string | undefined
  /** The page's `localStorage`; undefined without one, or when it is forbidden. */
  readonly storage: () => TokenStorage | undefined
}

/** What tabs use of it. */
export type TabPlatform = Pick<Platform, 'after'> & Partial<Pick<Platform, 'locks' | 'open'>>

/**
 * The globals that are looked up. The types of browsers and of Node differ, so they are declared
 * here.
 */
interface Globals {
  readonly navigator?: { readonly locks?: TabLocks }
  readonly document?: { readonly cookie: string; readonly visibilityState: string }
  readonly location?: { readonly href: string }
  readonly top?: unknown
  readonly window?: unknown
  readonly addEventListener?: (
    type: string,
    listener: (event: { readonly type: string; readonly persisted?: boolean }) => void,
    options: { readonly signal: AbortSignal },
  ) => void
  readonly localStorage?: TokenStorage
  readonly BroadcastChannel: new (name: string) => TabChannel
}

/**
 * Reads the globals. `fetch` is looked up at each call, so that replacing it later takes effect.
 */
export function readPlatform(): Platform {
  const globals = globalThis as unknown as Globals
  return {
    fetch: (input, init) => globalThis.fetch(input, init),
    now: () => Date.now() / 1000,
    after: (seconds, run) => {
      const timer = setTimeout(run, seconds * 1000)
      return () => clearTimeout(timer)
    },
    locks: globals.navigator?.locks,
    open: (name) => new globals.BroadcastChannel(name),
    // Frames and workers of blobs have the origin of their page; some frames have none.
    location: /^(?:blob:)?([^:]+:\/\/.+)/.exec(`${globals.location?.href}`)?.[1],
    isFramed: globals.top !== globals.window,
    watch: (look) => {
      const controller = new AbortController()
      for (const name of ['pageshow', 'focus', 'visibilitychange', 'online', 'storage'])
        globals.addEventListener?.(
          name,
          ({ persisted }) => {
            const isSeen = name === 'storage' || globals.document?.visibilityState !== 'hidden'
            if (isSeen && persisted !== false) look(name)
          },
          controller,
        )
      return () => controller.abort()
    },
    cookies: () => globals.document?.cookie,
    storage: () => globals.localStorage,
  }
}
