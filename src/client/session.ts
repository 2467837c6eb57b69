/**
 * The session of one client: its tokens, and the four things that change them, one at a time over all tabs: login, step-up,
 * refresh and logout. Only an answer of the server ends it: 401 with a code from the refresh route. A server that is down,
 * busy or out of reach ends nothing; the failure is shared by the tabs and holds for as long as the server asks (`Retry-After`),
 * a second otherwise, so that nobody refreshes in a loop.
 */
import { AuthClientError, type ClientErrorCode, isStale, toSignedOut } from './client-error.ts'
import type { AuthClientOptions, AuthClientState, ClientCredentials, SignOutReason } from './options.ts'
import type { Platform } from './platform.ts'
import type { TokenPersistence, Tokens } from './storage.ts'
import { type Tabs, toId } from './tabs.ts'
import type { Transport } from './transport.ts'

/** What tabs tell each other: exactly one of these. Refresh tokens are not among it. */
export interface TabMessage {
  /** New tokens. */
  readonly tokens?: Tokens
  /** The session is over. */
  readonly ended?: SignOutReason
  /** A refresh failed. */
  readonly failure?: Failure
}

/** A failed refresh. */
interface Failure {
  readonly code: ClientErrorCode
  readonly status: number
  readonly message: string
  readonly retryAfter: number | undefined
}

/** A refresh is sent this often while no answer comes, and so many seconds pass between. */
const TRIES = 3
const PAUSE = 0.5

/** The one route that takes an access token. */
const STEP_UP = '/verify-password'

/** So many seconds before its end an access token is refreshed: a tenth of its life, a minute at most. */
function ahead({ life }: Tokens): number {
  return Math.min(60, life / 10)
}

/** The session. */
export class Session {
  readonly #transport: Transport
  readonly #persistence: TokenPersistence
  readonly #platform: Platform
  readonly #onSignedOut: AuthClientOptions['onSignedOut']
  readonly #tabs: Tabs<TabMessage>
  readonly #loaded: Promise<void>
  readonly #listeners = new Set<() => void>()
  /** The tokens as they are, whether they still are good or not. */
  tokens: Tokens | null = null
  /** What is known of the user. */
  state: AuthClientState = { status: 'unknown', expiresAt: null, fresh: false, login: null }
  #failure: { readonly error: AuthClientError; readonly at: number } | undefined
  #refreshing: Promise<void> | undefined

  /**
   * @param onSignedOut told when the session is over
   * @param join joins the other tabs
   */
  constructor(
    transport: Transport,
    persistence: TokenPersistence,
    onSignedOut: AuthClientOptions['onSignedOut'],
    join: (hear: (news: TabMessage) => void) => Tabs<TabMessage>,
  ) {
    this.#transport = transport
    this.#persistence = persistence
    this.#platform = transport.platform
    this.#onSignedOut = onSignedOut
    this.#tabs = join((news) => this.#hear(news))
    this.#loaded = this.#load()
  }

  /** Calls back at each change of the state; what it returns ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** The tokens, refreshed when they are about to end; null when nobody is signed in. Rejects when they ended and no new ones can be had. */
  async current(): Promise<Tokens | null> {
    await this.#loaded
    const used = this.tokens
    if (used === null || this.#left(used) > ahead(used)) return used
    const renewed = this.refresh(used).catch((error) => {
      // One that still is good does as well.
      if (this.tokens !== used || this.#left(used) <= 0) throw error
    })
    if (this.#left(used) > ahead(used) / 4) {
      // In good time nobody waits; whoever comes after that does.
      renewed.catch(() => undefined)
      return used
    }
    await renewed
    return this.tokens
  }

  /** Replaces tokens, those of now by default; does nothing when they have been replaced already. One request for any number of callers in any number of tabs. */
  async refresh(given?: Tokens | null): Promise<void> {
    await this.#loaded
    const used = given ?? this.tokens
    if (used === null) throw toSignedOut()
    while (this.tokens === used) {
      this.#refreshing ??= this.#tabs
        .exclusive(() => this.#renew(used))
        .finally(() => {
          this.#refreshing = undefined
        })
      await this.#refreshing
    }
    if (this.tokens === null) throw toSignedOut()
  }

  /** Starts a session. */
  async login(credentials: ClientCredentials): Promise<void> {
    await this.#loaded
    const body = { ...credentials, delivery: this.#transport.byCookie ? 'cookie' : 'body' }
    await this.#tabs.exclusive(() => this.#receive('/login', body, true, toId()))
  }

  /** Proves who the user is. */
  async stepUp(password: string): Promise<void> {
    const used = await this.current()
    const prove = (): Promise<void> => this.#tabs.exclusive(() => this.#receive(STEP_UP, { password }, true))
    try {
      await prove()
    } catch (error) {
      if (!isStale((error as AuthClientError).code)) throw error
      await this.refresh(used)
      await prove()
    }
  }

  /** Ends the session at the server and then here; rejects, and ends nothing, when the server cannot be asked. */
  async logout(): Promise<void> {
    await this.#loaded
    await this.#tabs.exclusive(async () => {
      await this.#transport.post('/logout', await this.#present(), { csrf: this.tokens?.csrf })
      await this.#end('logout')
    })
  }

  /** Leaves the other tabs and forgets the listeners. */
  close(): void {
    this.#listeners.clear()
    this.#tabs.close()
  }

  /** Reads what the page before knew. */
  async #load(): Promise<void> {
    const kept = await this.#persistence.read()
    if (this.state.status !== 'unknown') return
    // Signed in by somebody else, such as a form: the first refresh tells the rest.
    const found = { expiresAt: 0, life: 0, fresh: false, login: '' }
    this.#settle(kept ?? (this.#transport.byCookie && this.#transport.readCsrf() ? found : null))
  }

  /** The refresh under the lock. */
  async #renew(used: Tokens): Promise<void> {
    if (this.tokens !== used) return
    this.#refuseEarly()
    try {
      await this.#retry(async () => this.#receive('/refresh', await this.#present(), false))
    } catch (cause) {
      // Without Web Locks a login in another tab may have come between: then the refusal was the old session's.
      if (this.tokens !== used) return
      const error = cause as AuthClientError
      if (error.status === 401 && !error.code.startsWith('http_')) {
        await this.#end(error.code)
        throw toSignedOut(cause)
      }
      this.#fail(error)
      await this.#tabs.publish({ failure: { ...error, message: error.message } })
      throw error
    }
  }

  /** Sends again what got no answer: within the overlap the server gives the same successor. */
  async #retry(send: () => Promise<void>): Promise<void> {
    for (let tried = 1; ; tried++) {
      try {
        return await send()
      } catch (error) {
        if (tried === TRIES || (error as AuthClientError).code !== 'unreachable') throw error
        await new Promise<void>((resolve) => this.#platform.after(PAUSE * tried, resolve))
      }
    }
  }

  /** The refresh token for a body; empty when it goes by cookie. */
  async #present(): Promise<{ readonly refresh_token?: string }> {
    if (this.#transport.byCookie) return {}
    const refresh_token = (await this.#persistence.read())?.refresh ?? this.tokens?.refresh
    return refresh_token === undefined ? {} : { refresh_token }
  }

  /** Posts, and takes the tokens of the answer. */
  async #receive(
    path: string,
    body: object,
    fresh: boolean,
    login = this.tokens?.login ?? '',
  ): Promise<void> {
    const sentAt = this.#platform.now()
    const own = this.tokens
    // Only a step-up shows the access token. A login and a refresh must not: it would be taken for the refresh token.
    const answer = await this.#transport.post(path, body, path === STEP_UP ? own : { csrf: own?.csrf })
    const { access_token, refresh_token, csrf_token, expires_in } = answer as Readonly<Record<string, string>>
    const life = Number(expires_in)
    if (!(life >= 0)) throw new AuthClientError('answer_invalid', { status: 200 })
    const tokens: Tokens = {
      access: access_token,
      refresh: this.#transport.byCookie ? undefined : (refresh_token ?? own?.refresh),
      csrf: csrf_token,
      expiresAt: sentAt + life,
      life,
      fresh,
      login,
    }
    this.#failure = undefined
    await this.#persistence.write(tokens)
    this.#settle(tokens)
    await this.#tabs.publish({ tokens: { ...tokens, refresh: undefined } })
  }

  /** Ends the session in all tabs. */
  async #end(reason: SignOutReason): Promise<void> {
    await this.#persistence.write(null)
    this.#leave(reason)
    await this.#tabs.publish({ ended: reason })
  }

  /** Ends it in this one. */
  #leave(reason: SignOutReason): void {
    const wasIn = this.tokens !== null
    this.#settle(null)
    // Later, so that what it throws is reported as its own and stops nothing here.
    if (wasIn) queueMicrotask(() => this.#onSignedOut?.(reason))
  }

  #hear({ tokens, ended, failure }: TabMessage): void {
    const own = this.tokens
    if (ended !== undefined) this.#leave(ended)
    else if (failure) this.#fail(new AuthClientError(failure.code, failure))
    else if (tokens) {
      // A tab that was just stepped up keeps its fresh token; another tab's refresh is none of its business.
      const isFresher = own?.access && own.fresh && !tokens.fresh && own.login === tokens.login
      if (isFresher && !this.#refreshing && this.#left(own) > ahead(own)) return
      this.#failure = undefined
      this.#settle({ ...tokens, refresh: own?.refresh })
    }
  }

  /** How long an access token is good for, in seconds. */
  #left({ expiresAt }: Tokens): number {
    return expiresAt - this.#platform.now()
  }

  #fail(error: AuthClientError): void {
    this.#failure = { error, at: this.#platform.now() }
  }

  /** Throws the last failure while it holds. */
  #refuseEarly(): void {
    const { error, at = 0 } = this.#failure ?? {}
    const age = this.#platform.now() - at
    // A clock that was set back must not make it hold for ever.
    if (error && age >= 0 && age < (error.retryAfter ?? 1)) throw error
  }

  /** Takes new tokens, or none. */
  #settle(tokens: Tokens | null): void {
    this.tokens = tokens
    const status = tokens ? 'signed-in' : 'signed-out'
    const { expiresAt = null, fresh = false, login = null } = tokens ?? {}
    this.state = { status, expiresAt, fresh, login }
    // Later, for the same reason as in `#leave`.
    for (const listener of this.#listeners) queueMicrotask(listener)
  }
}
