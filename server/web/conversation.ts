/*
 * Everything that this page says to the server goes through here, one thing at a time, and the
 * library's own client says it: it attaches the token, refreshes one that is about to end, asks for
 * the password once where a route wants a fresh one, and repeats the call as if nothing had
 * happened. Here its requests are only looked at, for the journal, the journey and the panels, and
 * the tokens that come along are put on show. An application needs no more than `client` and what
 * is passed to it.
 */

import { createAuthClient } from 'tokenwright/client'
import type { Offer } from './advice.ts'
import { type Answer, type Call, type Exchange, send } from './api.ts'
import { hasSession, type Session } from './session.ts'
import { createWire, REFRESH_PATH } from './wire.ts'

export type { Exchange } from './api.ts'

/** A call as a panel asks for it: the access token is added by the client. */
export type Wish = Omit<Call, 'token'> & {
  /** What to say when it succeeds. */
  readonly success?: string
}

/** What the conversation needs of the page: to show an answer, and to ask for a password. */
export interface Stage {
  show(wish: Wish, answer: Answer, note?: string): void
  /** Asks until `verify` is content; undefined when the user thinks better of it. */
  askPassword(
    wish: Wish,
    refused: Answer,
    verify: (password: string) => Promise<Answer>,
  ): Promise<Answer | undefined>
}

export interface Conversation {
  login(username: string, password: string): Promise<Answer | undefined>
  /** Calls with the access token, steps up where the server asks for it, shows the answer. */
  perform(wish: Wish): Promise<Answer | undefined>
  refresh(): Promise<Answer | undefined>
  /** Lets the client take its access token for ended, and calls: it refreshes first. */
  expire(): Promise<Answer | undefined>
  /** Calls with the access token and shows nothing: for panels that keep themselves up to date. */
  look(wish: Wish): Promise<Answer>
  /**
   * Refreshes with a refresh token that is not the current one, past the client, and shows what
   * comes of it.
   */
  present(refreshToken: string, success: string): Promise<Answer | undefined>
  logout(): Promise<Answer | undefined>
  /** Follows the way out that an answer offered, then repeats the call that was refused. */
  follow(offer: Offer, wish: Wish, refused: Answer): Promise<Answer | undefined>
  /** Calls `listener` after every exchange. */
  listen(listener: (exchange: Exchange) => void): void
}

const REFRESH: Wish = { method: 'POST', path: REFRESH_PATH }
const STEP_UP: Wish = { method: 'POST', path: '/auth/verify-password' }
const LOGOUT: Wish = { method: 'POST', path: '/auth/logout' }
const LOGIN: Wish = { method: 'POST', path: '/auth/login' }
const ANYTHING: Wish = {
  method: 'GET',
  path: '/protected',
  success: 'The access token had ended, as far as the client knew: it refreshed first, and nobody noticed.',
}

/** Makes the conversation of this page. */
export function createConversation(session: Session, stage: Stage): Conversation {
  const alone = createTurnstile()
  const wire = createWire(session)
  let ahead = 0
  let asked: Wish = ANYTHING

  const client = createAuthClient({
    // This page shows tokens, so it must have them; by default they are in cookies.
    delivery: 'body',
    platform: { fetch: wire.fetch, now: () => Date.now() / 1000 + ahead },
    onSignedOut: () => session.clear(),
    onStepUp: async () => {
      const refused = wire.answerTo(asked)
      stage.show(asked, refused)
      const proved = await stage.askPassword(asked, refused, (password) =>
        wire.settle(STEP_UP, client.stepUp(password)),
      )
      return proved?.ok === true
    },
  })
  client.subscribe(wire.takeOver)

  const ask = (wish: Wish): Promise<Answer> => wire.settle(wish, client.fetch(wish.path, toInit(wish)))
  const attempt = async (wish: Wish): Promise<Answer | undefined> => {
    asked = wish
    wire.begin(wish)
    const answer = await ask(wish)
    if (answer.code === 'step_up_cancelled') return undefined
    stage.show(wish, answer)
    return answer
  }
  const refresh = async (): Promise<Answer> => {
    const held = session.tokens?.refresh
    wire.begin(REFRESH)
    const answer = await wire.settle(REFRESH, client.refresh())
    stage.show({ ...REFRESH, success: describeRefresh(session.tokens?.refresh === held) }, answer)
    return answer
  }
  const end = async (): Promise<Answer> => {
    const success = describeLogout(hasSession(session))
    wire.begin(LOGOUT)
    const answer = await wire.settle(LOGOUT, client.logout())
    stage.show({ ...LOGOUT, success }, answer)
    return answer
  }

  return {
    login: (username, password) =>
      alone(() => {
        wire.begin(LOGIN)
        return wire.settle(LOGIN, client.login({ username, password }))
      }),
    perform: (wish) => alone(() => attempt(wish)),
    refresh: () => alone(refresh),
    expire: () =>
      alone(() => {
        ahead += session.settings.access
        return attempt(ANYTHING)
      }),
    look: ask,
    present: (refreshToken, success) =>
      alone(async () => {
        const note = 'with the token before the current one'
        const answer = await send({ ...REFRESH, token: refreshToken })
        wire.tell({ call: { ...REFRESH, token: refreshToken }, answer, note })
        stage.show({ ...REFRESH, success }, answer, note)
        return answer
      }),
    logout: () => alone(end),
    follow: (offer, wish) =>
      alone(async () => {
        if (wish.path === REFRESH.path) return refresh()
        if (wish.path === LOGOUT.path) return end()
        if (offer !== 'refresh') return attempt(wish)
        const answer = await refresh()
        return answer.ok ? attempt(wish) : answer
      }),
    listen: wire.listen,
  }
}

function toInit({ method, body }: Wish): RequestInit {
  const headers = { accept: 'application/json', ...(body && { 'content-type': 'application/json' }) }
  return { method, headers, ...(body && { body: JSON.stringify(body) }) }
}

/** Lets one piece of work in at a time; whoever presses a button meanwhile gets undefined. */
function createTurnstile() {
  let busy = false
  return async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    if (busy) return undefined
    busy = true
    document.documentElement.dataset['busy'] = 'true'
    try {
      return await work()
    } finally {
      busy = false
      delete document.documentElement.dataset['busy']
    }
  }
}

function describeRefresh(same: boolean | undefined): string {
  const token = 'A new access token: valid, but not fresh, for no password was checked.'
  return `${token} ${same ? 'The refresh token stays the same for now.' : 'The refresh token was exchanged too.'}`
}

function describeLogout(ended: boolean): string {
  if (ended) return 'Signed out: the session has ended on the server, and this page has dropped its tokens.'
  return 'Signed out: this page has dropped its tokens.'
}
