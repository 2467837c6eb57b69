/**
 * The session of one client: its tokens and what changes them, one at a time over all tabs: login,
 * step-up, refresh and logout. Only the server ends it, with a code of its own from the refresh
 * route. A server that is down, busy or out of reach ends nothing. The tabs share such a failure
 * and do not refresh again for as long as the server asks (`Retry-After`), or for a second.
 */
import { AuthClientError, type ClientErrorCode, isEnd, isStale, toSignedOut } from './client-error.ts'
import type { AuthClientOptions, AuthClientState, ClientCredentials, SignOutReason } from './options.ts'
import type { Platform } from './platform.ts'
import type { TokenPersistence, Tokens } from './storage.ts'
import { type Tabs, toId } from './tabs.ts'
import { LOGOUT, STEP_UP, type Transport } from './transport.ts'

/** What tabs send each other: exactly one of these members. Never a refresh token. */
export interface TabMessage {
  readonly tokens?: Tokens
  /** The session is over. */
  readonly ended?: SignOutReason
  /** A refresh failed. */
  readonly failure?: Failure
}

interface Failure {
  readonly code: ClientErrorCode
  readonly status: number
  readonly message: string
  readonly retryAfter: number | undefined
}

const REFRESH = '/refresh'

/** How often a refresh is sent when no response comes, and the first pause between, in seconds. */
const TRIES = 3
const PAUSE = 0.5

/** The longest time for which a failure stops the next refresh, in seconds, whatever it says. */
const MAX_WAIT = 60

/**
 * How long before its end an access token is refreshed, in seconds: a tenth of its life, a minute
 * at most.
 */
function ahead({ life }: Tokens): number {
  return Math.min(60, life / 10)
}

export class Session {
  readonly #transport: Transport
  readonly #persistence: TokenPersistence
  readonly #platform: Platform
  readonly #onSignedOut: AuthClientOptions['onSignedOut']
  readonly #tabs: Tabs<TabMessage>
  readonly #loaded: Promise<void>
  readonly #listeners = new Set<() => void>()
  /** The tokens, expired or not. */
  tokens: Tokens | null = null
  state: AuthClientState = { status: 'unknown', expiresAt: null, fresh: false, login: null }
  #failure: { readonly error: AuthClientError; readonly at: number } | undefined
  #refreshing: Promise<void> | undefined
  /** The CSRF cookies of another session that the server was asked about. */
  #checked = ''

  /** @param join joins the other tabs */
  constructor(
    transport: Transport,
    persistence: TokenPersistence,
    onSignedOut: AuthClientOptions['onSignedOut'],
    join: (onMessage: (message: TabMessage) => void) => Tabs<TabMessage>,
  ) {
    this.#transport = transport
    this.#persistence = persistence
    this.#platform = transport.platform
    this.#onSignedOut = onSignedOut
    this.#tabs = join((message) => this.#onMessage(message))
    this.#loaded = this.#load()
  }

  /** Calls back at each change of the state. Returns a function that ends this. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /**
   * The tokens, refreshed when they are about to end; null when no user is signed in. Rejects when
   * they have ended and the refresh failed.
   */
  async current(): Promise<Tokens | null> {
    await this.#loaded
    this.#checkCookies()
    const used = this.tokens
    if (used === null || this.#left(used) > ahead(used)) return used
    const renewed = this.refresh(used).catch((error) => {
      // The old token is still good: use it.
      if (this.tokens !== used || this.#left(used) <= 0) throw error
    })
    if (this.#left(used) > ahead(used) / 4) {
      // There is time left: this caller need not wait for the refresh. A later one does.
      renewed.catch(() => undefined)
      return used
    }
    await renewed
    return this.tokens
  }

  /**
   * Replaces the given tokens, by default the current ones. Does nothing when they have been
   * replaced already. All callers in all tabs share one request. Without an argument the user or
   * the application wants it now, whatever the last failure said.
   */
  async refresh(given?: Tokens | null): Promise<void> {
    await this.#loaded
    if (given === undefined) this.#failure = undefined
    const used = given === undefined ? this.tokens : given
    while (this.tokens === used && this.state.status !== 'signed-out') {
      this.#refreshing ??= this.#tabs
        .exclusive(() => this.#renew(used))
        .finally(() => {
          this.#refreshing = undefined
        })
      await this.#refreshing
    }
    if (this.tokens === null) throw toSignedOut()
  }

  async login(credentials: ClientCredentials): Promise<void> {
    await this.#loaded
    const body = { ...credentials, delivery: this.#transport.byCookie ? 'cookie' : 'body' }
    await this.#tabs.exclusive(() => this.#requestTokens('/login', body, true, toId()))
  }

  async stepUp(password: string): Promise<void> {
    const used = await this.current()
    const prove = (): Promise<void> =>
      this.#tabs.exclusive(() => this.#requestTokens(STEP_UP, { password }, true))
    try {
      await prove()
    } catch (error) {
      if (!isStale((error as AuthClientError).code)) throw error
      await this.refresh(used)
      if (used && used.login !== this.tokens?.login) throw toSignedOut()
      await prove()
    }
  }

  /**
   * Ends the session at the server, then here. Rejects, and ends nothing, when the server is out of
   * reach.
   */
  async logout(): Promise<void> {
    await this.#loaded
    await this.#tabs.exclusive(async () => {
      await this.#transport.post(LOGOUT, await this.#refreshBody(), { csrf: this.tokens?.csrf })
      await this.#end('logout')
    })
  }

  /** Leaves the other tabs and removes the listeners. */
  close(): void {
    this.#listeners.clear()
    this.#tabs.close()
  }

  /** Reads what an earlier page stored. */
  async #load(): Promise<void> {
    const stored = await this.#persistence.read()
    if (this.state.status !== 'unknown') return
    // A form or another page has signed the user in: the first refresh tells the rest.
    const unknown = { expiresAt: 0, life: 0, fresh: false, login: '' }
    const { byCookie, csrfValues } = this.#transport
    if (stored) this.#setTokens(stored)
    else if (byCookie && csrfValues()[0]) this.#setTokens(unknown)
    // With cookies, an empty storage says nothing: browsers clear the one and keep the other.
    else if (!byCookie || stored === null) this.#setTokens(null)
  }

  /**
   * Another login may have replaced the session without a message. The server is asked before
   * anything is sent in that name, once for the same cookies.
   */
  #checkCookies(): void {
    const { tokens } = this
    if (!tokens || !this.#transport.isReplaced(tokens.csrf)) return
    const values = this.#transport.csrfValues().join()
    if (values !== this.#checked) this.#setTokens({ ...tokens, expiresAt: 0 })
    this.#checked = values
  }

  /** Refreshes; the caller holds the lock. */
  async #renew(used: Tokens | null): Promise<void> {
    if (this.tokens !== used || this.state.status === 'signed-out') return
    this.#refuseEarly()
    try {
      await this.#retry(async () => this.#requestTokens(REFRESH, await this.#refreshBody(), false))
    } catch (cause) {
      // Without Web Locks another tab may have logged in meanwhile: the refusal is about the old
      // session.
      if (this.tokens !== used) return
      const error = cause as AuthClientError
      if (isEnd(error)) {
        await this.#end(error.code)
        throw toSignedOut(cause)
      }
      this.#fail(error)
      await this.#tabs.publish({ failure: { ...error, message: error.message } })
      throw error
    }
  }

  /**
   * Sends again when no response came: within the overlap the server returns the same successor.
   */
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

  /** The body with the refresh token; empty when a cookie holds it. */
  async #refreshBody(): Promise<{ readonly refresh_token?: string }> {
    if (this.#transport.byCookie) return {}
    const refresh_token = (await this.#persistence.read())?.refresh ?? this.tokens?.refresh
    return refresh_token === undefined ? {} : { refresh_token }
  }

  /** Posts, and takes the tokens from the response. */
  async #requestTokens(
    path: string,
    body: object,
    fresh: boolean,
    login = this.tokens ? this.tokens.login : toId(),
  ): Promise<void> {
    const sentAt = this.#platform.now()
    const own = this.tokens
    // Only a step-up sends the access token: with a login or a refresh it would pass for the
    // refresh token.
    const response = await this.#transport.post(path, body, path === STEP_UP ? own : { csrf: own?.csrf })
    const { access_token, refresh_token, csrf_token, expires_in } = response as Readonly<
      Record<string, string>
    >
    const life = Number(expires_in)
    if (!(life >= 0)) throw new AuthClientError('response_invalid', { status: 200 })
    const tokens: Tokens = {
      access: access_token,
      refresh: this.#transport.byCookie ? undefined : (refresh_token ?? own?.refresh),
      csrf: csrf_token,
      expiresAt: sentAt + life,
      life,
      fresh,
      // All tokens of a session have one CSRF value: with another one this is another session.
      login: path === REFRESH && own?.csrf && csrf_token !== own.csrf ? toId() : login,
    }
    this.#failure = undefined
    await this.#persistence.write(tokens)
    this.#setTokens(tokens)
    await this.#tabs.publish({ tokens: { ...tokens, refresh: undefined } })
  }

  /** Ends the session in all tabs. */
  async #end(reason: SignOutReason): Promise<void> {
    await this.#persistence.write(null)
    this.#signOut(reason)
    await this.#tabs.publish({ ended: reason })
  }

  /** Ends the session in this tab. */
  #signOut(reason: SignOutReason): void {
    const wasIn = this.tokens !== null
    this.#setTokens(null)
    // In a microtask, so that an error that it throws is reported as its own and stops nothing
    // here.
    if (wasIn) queueMicrotask(() => this.#onSignedOut?.(reason))
  }

  #onMessage({ tokens, ended, failure }: TabMessage): void {
    const own = this.tokens
    if (ended !== undefined) this.#signOut(ended)
    else if (failure) this.#fail(new AuthClientError(failure.code, failure))
    else if (tokens) {
      // After a step-up a tab keeps its fresh token when another tab refreshes.
      const isFresher = own?.access && own.fresh && !tokens.fresh && own.login === tokens.login
      if (isFresher && !this.#refreshing && this.#left(own) > ahead(own)) return
      this.#failure = undefined
      this.#setTokens({ ...tokens, refresh: own?.refresh })
    }
  }

  /** Seconds until the access token ends. */
  #left({ expiresAt }: Tokens): number {
    return expiresAt - this.#platform.now()
  }

  #fail(error: AuthClientError): void {
    this.#failure = { error, at: this.#platform.now() }
  }

  /** Throws the last failure until it is time to try again. */
  #refuseEarly(): void {
    const { error, at = 0 } = this.#failure ?? {}
    const age = this.#platform.now() - at
    // A clock that was set back must not make the failure last.
    if (error && age >= 0 && age < Math.min(error.retryAfter ?? 1, MAX_WAIT)) throw error
  }

  #setTokens(tokens: Tokens | null): void {
    this.tokens = tokens
    const status = tokens ? 'signed-in' : 'signed-out'
    const { expiresAt = null, fresh = false, login = null } = tokens ?? {}
    this.state = { status, expiresAt, fresh, login }
    // In a microtask, for the same reason as in `#signOut`.
    for (const listener of this.#listeners) queueMicrotask(listener)
  }
}
