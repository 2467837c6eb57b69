/**
 * The user's data, loaded by the application once per login and shared by the tabs. It is kept in
 * memory only. What does not use it does not pay for it: bundlers leave it out.
 */
import type { AuthClientState } from './options.ts'
import { type Platform, readPlatform } from './platform.ts'
import { openTabs } from './tabs.ts'

/** What it uses of the client. */
export interface UserSource {
  /** What the client knows. */
  readonly state: AuthClientState
  /** Resolves when it is known whether a user is signed in. */
  readonly ready: Promise<AuthClientState>
  /** Calls back after each change of `state`. */
  readonly subscribe: (listener: () => void) => () => void
}

/** The user who is signed in. */
export interface CurrentUser<U> {
  /** The user; null when no one is signed in, undefined while it is not known. */
  readonly current: U | null | undefined
  /** Resolves to the user, loaded if no tab has done so; null when no one is signed in. */
  readonly get: () => Promise<U | null>
  /** Loads again, for all tabs, as after a change of the profile. */
  readonly reload: () => Promise<U | null>
  /** Calls back after each change of `current`, and loads when it is needed. */
  readonly subscribe: (listener: () => void) => () => void
  /** Leaves the other tabs. */
  readonly close: () => void
}

/**
 * Creates the user of a client: one per page, at module scope.
 *
 * @param load loads the user who is signed in; tabs share what it resolves to if it can be cloned
 * @param platform replaces parts of the platform, for tests
 */
export function createUser<U>(
  auth: UserSource,
  load: () => Promise<U>,
  platform?: Partial<Platform>,
): CurrentUser<U> {
  let { login } = auth.state
  let current: U | null | undefined
  let loading: Promise<U | null> | undefined
  const listeners = new Set<() => void>()
  const set = (next: U | null | undefined): void => {
    current = next
    for (const listener of listeners) queueMicrotask(listener)
  }
  const tabs = openTabs<readonly [login: string | null, user: U]>(
    'tokenwright user',
    { ...readPlatform(), ...platform },
    ([of, user]) => {
      if (of === auth.state.login) set(user)
    },
  )
  const stop = auth.subscribe(() => {
    const { login: now, status } = auth.state
    // A login gets its id when the server first says whose session it is.
    const isSame = now === login || login === ''
    login = now
    if (isSame && status === 'signed-in') return
    loading = undefined
    set(status === 'signed-out' ? null : undefined)
    if (listeners.size) get().catch(() => undefined)
  })

  async function get(isAgain = false): Promise<U | null> {
    if ((await auth.ready).status === 'signed-out') return null
    if (current !== undefined && !isAgain) return current
    loading ??= tabs
      .exclusive(async () => {
        // Another tab may have loaded it meanwhile.
        if (current !== undefined && !isAgain) return current
        const before = login
        const user = await load()
        if (before && before !== login) return get()
        set(user)
        await tabs.post([auth.state.login, user])
        return user
      })
      .finally(() => {
        loading = undefined
      })
    return loading
  }

  return {
    get current() {
      return current
    },
    get: () => get(),
    reload: () => get(true),
    subscribe(listener) {
      listeners.add(listener)
      if (current === undefined) get().catch(() => undefined)
      return () => void listeners.delete(listener)
    },
    close() {
      stop()
      tabs.close()
    },
  }
}
