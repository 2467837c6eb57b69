/*
 * Everything that this page says to the server goes through here, one thing at a time. `perform` is the
 * part worth copying: call with the access token; when the answer is `fresh_token_required`, ask for the
 * password, keep the fresh tokens, and repeat the call as if nothing had happened. Others (the journal,
 * the journey, a panel) only listen.
 */

import type { Offer } from './advice.ts'
import { type Answer, type Call, send } from './api.ts'
import { hasSession, type Session } from './session.ts'

/** A call as a panel asks for it: the access token is added here. */
export type Wish = Omit<Call, 'token'> & {
  /** What to say when it succeeds. */
  readonly success?: string
}

export interface Exchange {
  readonly call: Call
  readonly answer: Answer
  /** Why the call was made, when no one pressed a button for it. */
  readonly note: string | undefined
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
  /** Calls with the access token and shows nothing: for panels that keep themselves up to date. */
  look(wish: Wish): Promise<Answer>
  /** Refreshes with a refresh token that is not the current one, and shows what comes of it. */
  present(refreshToken: string, success: string): Promise<Answer | undefined>
  logout(): Promise<Answer | undefined>
  /** Follows the way out that an answer offered, then repeats the call that was refused. */
  follow(offer: Offer, wish: Wish, refused: Answer): Promise<Answer | undefined>
  /** Calls `listener` after every exchange. */
  listen(listener: (exchange: Exchange) => void): void
}

const REFRESH: Wish = { method: 'POST', path: '/auth/refresh' }
const LOGOUT: Wish = { method: 'POST', path: '/auth/logout' }

/** Makes the conversation of this page. */
export function createConversation(session: Session, stage: Stage): Conversation {
  const listeners: ((exchange: Exchange) => void)[] = []
  const alone = createTurnstile()

  const say = async (call: Call, note?: string): Promise<Answer> => {
    const answer = await send(call)
    for (const listener of listeners) listener({ call, answer, note })
    return answer
  }
  const tell = ({ method, path, body }: Wish, note?: string) =>
    say({ method, path, body, token: session.tokens?.access }, note)

  const attempt = async (wish: Wish, note?: string): Promise<Answer | undefined> => {
    const answer = await tell(wish, note)
    stage.show(wish, answer, note)
    return answer.code === 'fresh_token_required' ? stepUp(wish, answer) : answer
  }
  const stepUp = async (wish: Wish, refused: Answer): Promise<Answer | undefined> => {
    const confirmed = await stage.askPassword(wish, refused, (password) =>
      tell({ method: 'POST', path: '/auth/verify-password', body: { password } }),
    )
    if (!confirmed) return undefined
    if (!confirmed.ok || !session.keep(confirmed.body)) {
      stage.show(wish, confirmed)
      return confirmed
    }
    const answer = await tell(wish, 'repeated after step-up')
    stage.show(wish, answer, 'repeated after step-up')
    return answer
  }
  const refresh = async (): Promise<Answer> => {
    const answer = await say({ ...REFRESH, token: session.tokens?.refresh })
    const held = session.tokens?.refresh
    const kept = answer.ok && session.keep(answer.body)
    stage.show({ ...REFRESH, success: describeRefresh(kept && session.tokens?.refresh === held) }, answer)
    return answer
  }
  const end = async (): Promise<Answer> => {
    const answer = await say({ method: 'POST', path: LOGOUT.path, token: tokenForLogout(session) })
    const success = describeLogout(hasSession(session))
    if (answer.ok) session.clear()
    stage.show({ ...LOGOUT, success }, answer)
    return answer
  }

  return {
    login: (username, password) =>
      alone(async () => {
        const body = { username, password, delivery: 'body' }
        const answer = await say({ method: 'POST', path: '/auth/login', body })
        if (answer.ok) session.keep(answer.body)
        return answer
      }),
    perform: (wish) => alone(() => attempt(wish)),
    refresh: () => alone(refresh),
    look: (wish) => tell(wish),
    present: (refreshToken, success) =>
      alone(async () => {
        const answer = await say({ ...REFRESH, token: refreshToken }, 'with the token before the current one')
        if (answer.ok) session.keep(answer.body)
        stage.show({ ...REFRESH, success }, answer, 'with the token before the current one')
        return answer
      }),
    logout: () => alone(end),
    follow: (offer, wish, refused) =>
      alone(async () => {
        if (offer === 'step-up') return stepUp(wish, refused)
        if (wish.path === REFRESH.path) return refresh()
        if (wish.path === LOGOUT.path) return end()
        if (offer !== 'refresh') return attempt(wish)
        const answer = await refresh()
        return answer.ok ? attempt(wish, 'repeated after refresh') : answer
      }),
    listen: (listener) => void listeners.push(listener),
  }
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

/** An expired access token names no session any more; the refresh token still does. */
function tokenForLogout(session: Session): string | undefined {
  const exp = session.tokens?.accessToken?.claims['exp']
  const expired = typeof exp === 'number' && exp <= session.now()
  return expired ? session.tokens?.refresh : session.tokens?.access
}
