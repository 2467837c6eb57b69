/**
 * The session of one client: its tokens and what changes them, one at a time over all tabs: login,
 * step-up, refresh and logout. Only the server ends it, with a code of its own from the refresh
 * route. A server that is down, busy or out of reach ends nothing. The tabs share such a failure
 * and do not refresh again for as long as the server asks (`Retry-After`), or for a second.
 */
import { AuthClientError, isCsrf, isEnd, isStale, toRefused, toSignedOut } from './client-error.ts'
import type { Events } from './events.ts'
import type { AuthClientState, ClientCredentials, LoginResponse, SignOutReason } from './options.ts'
import { createRetry, type Retry } from './retry.ts'
import { ahead, SessionState, type TabMessage, toLoginId } from './session-state.ts'
import type { TokenPersistence, Tokens } from './storage.ts'
import { type Tabs, toId } from './tabs.ts'
import { type Body, LOGIN, LOGOUT, OTHER_STEP_UP, REFRESH, STEP_UP, type Transport } from './transport.ts'

/** What a session builds on. */
export interface ClientSessionDependencies {
  readonly transport: Transport
  readonly persistence: TokenPersistence
  readonly events: Events
  /** The deadline of an auth route, in seconds. */
  readonly timeout: number
  /** Joins the other tabs. */
  readonly join: (onMessage: (message: TabMessage) => void) => Tabs<TabMessage>
}

/** How long coming back lasts, in seconds: it has several events. */
const COMING_BACK = 1

export class Session extends SessionState {
  readonly #transport: Transport
  readonly #persistence: TokenPersistence
  readonly #tabs: Tabs<TabMessage>
  readonly #loaded: Promise<void>
  readonly #unwatch: () => void
  readonly #retry: Retry
  #refreshing: Promise<void> | undefined
  #ready: Promise<AuthClientState> | undefined
  /** The readable cookies about which the server was asked, or which an ended session has left. */
  #seen = ''
  /** When the server last said whose session it is. */
  #askedAt = 0
  #looking: Promise<void> | undefined

  constructor({ transport, persistence, events, timeout, join }: ClientSessionDependencies) {
    super(events, transport.platform)
    this.#transport = transport
    this.#persistence = persistence
    this.#retry = createRetry(this.platform.after, timeout)
    this.#tabs = join((message) => this.#onMessage(message))
    this.#loaded = this.#load()
    this.#unwatch = this.platform.watch((event) => {
      const before = this.#looking
      this.#looking = this.#look(event).then(() => before)
    })
  }

  /** Resolves as soon as it is known whether a user is signed in, or the server is out of reach. */
  get ready(): Promise<AuthClientState> {
    this.#ready ??= this.#loaded.then(async () => {
      if (this.state.status === 'unknown') await this.refresh(null).catch(() => undefined)
      return this.show()
    })
    return this.#ready
  }

  /**
   * The tokens, refreshed when they are about to end; null when no user is signed in. Rejects when
   * they have ended and the refresh failed.
   *
   * @param min how long they must last at least, in seconds
   * @param login the login that the application knew when it called; rejects with `signed_out` when
   *   it is another one now
   */
  async current(min = 0, login: string | null = this.known): Promise<Tokens | null> {
    const used = await this.#renewed(min)
    this.check(login)
    return used
  }

  async #renewed(min: number): Promise<Tokens | null> {
    await this.#loaded
    if (!this.#transport.readOwnCookies()[0]) await this.#looking
    this.#checkCookies()
    const used = this.tokens
    if (used === null || this.left(used) > Math.max(ahead(used), min)) return used
    const renewed = this.refresh(used).catch((error) => {
      // The old token is still good: use it.
      if (this.tokens !== used || this.left(used) <= min) throw error
    })
    if (this.left(used) > Math.max(ahead(used) / 4, min)) {
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
    if (given === undefined) this.failure = undefined
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

  async login(credentials: ClientCredentials): Promise<LoginResponse> {
    await this.#loaded
    const body = { ...credentials, delivery: this.#transport.byCookie ? 'cookie' : 'body' }
    return this.#tabs.exclusive(async () => {
      const response = await this.#requestTokens(LOGIN, body)
      this.show()
      const { access_token, refresh_token, ...rest } = response
      return rest
    })
  }

  async adopt(body: object): Promise<void> {
    await this.#loaded
    await this.#tabs.exclusive(() => this.#take(LOGIN, body as Body))
    this.show()
  }

  async stepUp(proof: string | object): Promise<void> {
    const used = await this.current()
    const { known } = this
    const [path, body] = typeof proof === 'string' ? [STEP_UP, { password: proof }] : [OTHER_STEP_UP, proof]
    const prove = () => this.#tabs.exclusive(() => this.#requestTokens(path, body))
    try {
      await prove()
    } catch (error) {
      if (!isStale((error as AuthClientError).code)) throw error
      await this.refresh(used)
      this.check(known)
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
      this.show()
    })
  }

  /** Leaves the other tabs and removes the listeners. */
  close(): void {
    this.#unwatch()
    this.events.clear()
    this.#tabs.close()
  }

  /** Reads what an earlier page stored. */
  async #load(): Promise<void> {
    const stored = await this.#persistence.read()
    if (this.state.status !== 'unknown') return
    if (stored) return void this.setTokens(stored)
    const { byCookie, csrfValues } = this.#transport
    // With cookies, an empty storage says nothing: browsers clear the one and keep the other.
    if (byCookie) this.#checkCookies(csrfValues())
    if (!this.tokens && (!byCookie || stored === null)) this.setTokens(null)
  }

  /**
   * A form or another page may have signed a user in, or another one, without a message. The first
   * refresh tells the rest, before anything is sent in that name; the server is asked once for the
   * same cookies.
   */
  #checkCookies(values = this.#transport.readOwnCookies()): void {
    const { tokens } = this
    const isKnown = tokens && (!tokens.csrf || values.includes(tokens.csrf))
    if (!values[0] || values.join() === this.#seen || isKnown) return
    this.#seen = values.join()
    // With several values only the server knows which is its own.
    const csrf = values[1] ? undefined : values[0]
    this.setTokens({ csrf, life: 0, fresh: false, login: toLoginId(csrf) ?? '', ...tokens, expiresAt: 0 })
  }

  /** Looks again at what may have changed while this page was away. */
  async #look(event: string): Promise<void> {
    this.events.note('looks again:', event)
    if (event === 'online') this.failure = undefined
    await this.#loaded
    const stored = await this.#persistence.read()
    const own = this.tokens
    if (stored === null && own?.life) this.#signOut('logout')
    // Tokens that were found out of date stay so.
    const isNewer = own?.expiresAt && stored && stored.expiresAt > own.expiresAt
    if (stored && (stored.login !== own?.login || isNewer)) this.setTokens(stored)
    this.#checkCookies()
    const age = this.platform.now() - this.#askedAt
    // A clock that was set back must not stop it, and other cookies are a reason to ask at once.
    const isEarly = age >= 0 && age < COMING_BACK && this.tokens?.expiresAt !== 0
    if (event === 'storage' || isEarly) return
    const { tokens } = this
    if (await this.#ask()) await this.refresh(tokens).catch(() => undefined)
  }

  /**
   * Asks the server whose session it is. Its response ends none: that takes a refused refresh.
   *
   * @returns whether the session seems to be over
   */
  async #ask(): Promise<boolean> {
    const { tokens } = this
    const { byCookie, ask } = this.#transport
    if (!byCookie && (!tokens?.access || this.left(tokens) <= 0)) return false
    this.#askedAt = this.platform.now()
    const owner = await ask(tokens)
    const { active, csrf_token: csrf = owner.session_id, expires_in: life = 0, fresh = false } = owner
    if (this.tokens !== tokens || typeof active !== 'boolean') return false
    if (!active && tokens) return true
    if (!active) this.setTokens(null)
    else if (byCookie && csrf !== tokens?.csrf) {
      const expiresAt = this.platform.now() + life
      const found = { csrf, expiresAt, life, fresh, login: toLoginId(csrf) ?? toId() }
      await this.#persistence.write(found)
      this.setTokens(found)
    }
    return false
  }

  /** Refreshes; the caller holds the lock. */
  async #renew(used: Tokens | null): Promise<void> {
    if (this.tokens !== used || this.state.status === 'signed-out') return
    this.refuseEarly()
    try {
      await this.#retry(async (deadline) => this.#requestTokens(REFRESH, await this.#refreshBody(), deadline))
    } catch (cause) {
      // Without Web Locks another tab may have logged in meanwhile: the refusal is about the old
      // session.
      if (this.tokens !== used) return
      const error = cause as AuthClientError
      // Cookies of other programs and other logins are outvoted by the server.
      const mayAsk = isCsrf(error) && (!used?.life || this.#transport.readOwnCookies()[0])
      if (mayAsk && !(await this.#ask()) && this.tokens !== used) return
      if (isEnd(error)) {
        await this.#end(error.code)
        throw toSignedOut(cause)
      }
      this.fail(error)
      await this.#tabs.publish({ failure: { ...error, message: error.message } })
      throw error
    }
  }

  /** The body with the refresh token; empty when a cookie holds it. */
  async #refreshBody(): Promise<{ readonly refresh_token?: string }> {
    if (this.#transport.byCookie) return {}
    const refresh_token = (await this.#persistence.read())?.refresh ?? this.tokens?.refresh
    return refresh_token === undefined ? {} : { refresh_token }
  }

  /** Posts, and takes the tokens from the response. */
  async #requestTokens(path: string, body: object, deadline?: number): Promise<Body> {
    const own = this.tokens
    const sentAt = this.platform.now()
    // Only a step-up sends the access token: with a login or a refresh it would pass for the
    // refresh token.
    const from = path === LOGIN || path === REFRESH ? { csrf: own?.csrf } : own
    return this.#take(path, await this.#transport.post(path, body, from, deadline), sentAt)
  }

  /** Takes the tokens from the response of a path. */
  async #take(path: string, response: Body, sentAt = this.platform.now()): Promise<Body> {
    const own = this.tokens
    const { byCookie, ask, csrfValues } = this.#transport
    const { access_token, refresh_token, csrf_token, expires_in } = response as Readonly<
      Record<string, string>
    >
    const life = Number(expires_in)
    if (!(life >= 0)) throw new AuthClientError('response_invalid', { status: 200 })
    let csrf = csrf_token ?? (path === LOGIN ? undefined : own?.csrf)
    if (path === LOGIN && byCookie && !csrfValues().includes(csrf ?? '')) {
      const { active, session_id } = await ask(null)
      if (active === false) throw toRefused(this.#transport.explainRefusal())
      csrf ??= session_id
    }
    const tokens: Tokens = {
      access: access_token,
      refresh: byCookie ? undefined : (refresh_token ?? own?.refresh),
      csrf,
      expiresAt: sentAt + life,
      life,
      fresh: path !== REFRESH,
      // All tokens of a session have one CSRF value: with another one this is another session.
      login: toLoginId(csrf) ?? ((path !== LOGIN && own?.login) || toId()),
    }
    this.failure = undefined
    this.#askedAt = this.platform.now()
    await this.#persistence.write(tokens)
    this.setTokens(tokens)
    await this.#tabs.publish({ tokens: { ...tokens, refresh: undefined } })
    return response
  }

  /** Ends the session in all tabs. */
  async #end(reason: SignOutReason): Promise<void> {
    // First, as it says the reason: other tabs also see that the storage is empty.
    await this.#tabs.publish({ ended: reason })
    await this.#persistence.write(null)
    this.#signOut(reason)
  }

  /** Ends the session in this tab. */
  #signOut(reason: SignOutReason): void {
    const { tokens } = this
    this.#seen = this.#transport.csrfValues().join()
    // A cookie of another program is no user who was signed in here.
    const wasIn = tokens && (tokens.life || reason !== 'token_missing')
    this.setTokens(null, wasIn ? reason : undefined)
  }

  #onMessage({ tokens, ended, failure }: TabMessage): void {
    const own = this.tokens
    if (ended !== undefined) this.#signOut(ended)
    else if (failure) this.fail(new AuthClientError(failure.code, failure))
    else if (tokens) {
      // After a step-up a tab keeps its fresh token when another tab refreshes.
      const isFresher = own?.access && own.fresh && !tokens.fresh && own.login === tokens.login
      if (isFresher && !this.#refreshing && this.left(own) > ahead(own)) return
      this.failure = undefined
      this.setTokens({ ...tokens, refresh: own?.refresh })
    }
  }
}
