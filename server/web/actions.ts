/*
 * What a visitor can do on this page: sign in, call a route, refresh, step up, sign out. The
 * actions run one at a time.
 *
 * The library's client sends the requests. It attaches the access token, refreshes a token that is
 * about to expire, asks for the password once if a route needs a fresh token, and repeats the call.
 * The recorder only watches, for the panels. An application needs no more than `client` and its
 * options.
 */

import { createAuthClient } from 'tokenwright/client'
import type { Offer } from './advice.ts'
import { type Call, type Exchange, type Result, send } from './api.ts'
import { createRecorder, REFRESH_PATH } from './recorder.ts'
import { hasSession, type Session } from './session.ts'

export type { Exchange } from './api.ts'

/** A call that a panel asks for. The client adds the access token. */
export type PanelCall = Omit<Call, 'token'> & {
  /** What the page says when the call succeeds. */
  readonly success?: string
}

/** The parts of the page that the actions use. */
export interface ActionsView {
  /** Shows the result of a call. */
  show(call: PanelCall, result: Result, note?: string): void
  /** Asks for the password until `verify` accepts it. Undefined when the user cancels. */
  askPassword(
    call: PanelCall,
    refused: Result,
    verify: (password: string) => Promise<Result>,
  ): Promise<Result | undefined>
}

/** The actions. They return undefined while another action runs, and when the user cancels. */
export interface Actions {
  login(username: string, password: string): Promise<Result | undefined>
  /** Calls a route, steps up if the server asks for it, and shows the result. */
  perform(call: PanelCall): Promise<Result | undefined>
  refresh(): Promise<Result | undefined>
  /**
   * Makes the client regard its access token as expired, then calls a route: it refreshes first.
   */
  expire(): Promise<Result | undefined>
  /** Calls a route without showing the result, for panels that update themselves. */
  fetch(call: PanelCall): Promise<Result>
  /** Refreshes with an old refresh token, bypassing the client, and shows the result. */
  replay(refreshToken: string, success: string): Promise<Result | undefined>
  logout(): Promise<Result | undefined>
  /** Takes the offer that a result made, then repeats the refused call. */
  takeOffer(offer: Offer, call: PanelCall): Promise<Result | undefined>
  /** Calls `listener` after every exchange. */
  listen(listener: (exchange: Exchange) => void): void
}

const REFRESH: PanelCall = { method: 'POST', path: REFRESH_PATH }
const STEP_UP: PanelCall = { method: 'POST', path: '/auth/verify-password' }
const LOGOUT: PanelCall = { method: 'POST', path: '/auth/logout' }
const LOGIN: PanelCall = { method: 'POST', path: '/auth/login' }
const AFTER_EXPIRY: PanelCall = {
  method: 'GET',
  path: '/protected',
  success: 'The access token had expired, so the page got a new one first. You did not have to do anything.',
}

/** Creates the actions of this page. */
export function createActions(session: Session, view: ActionsView): Actions {
  const exclusively = createLock()
  const recorder = createRecorder(session)
  /** How far the clock of the client is set ahead, in seconds. */
  let ahead = 0
  let latest: PanelCall = AFTER_EXPIRY

  const client = createAuthClient({
    // This page shows the tokens, so it needs them. By default, they are in cookies.
    delivery: 'body',
    platform: { fetch: recorder.fetch, now: () => Date.now() / 1000 + ahead },
    onSignedOut: () => session.clear(),
    onStepUp: async () => {
      const refused = recorder.lastResult(latest)
      view.show(latest, refused)
      const proved = await view.askPassword(latest, refused, (password) =>
        recorder.resultOf(STEP_UP, client.stepUp(password)),
      )
      return proved?.ok === true
    },
  })
  client.subscribe(recorder.storeTokens)

  const fetch = (call: PanelCall) => recorder.resultOf(call, client.fetch(call.path, toInit(call)))
  const perform = async (call: PanelCall): Promise<Result | undefined> => {
    latest = call
    recorder.start(call)
    const result = await fetch(call)
    if (result.code === 'step_up_cancelled') return undefined
    view.show(call, result)
    return result
  }
  const login = (username: string, password: string) => {
    recorder.start(LOGIN)
    return recorder.resultOf(LOGIN, client.login({ username, password }))
  }
  const refresh = async (): Promise<Result> => {
    const held = session.tokens?.refresh
    recorder.start(REFRESH)
    const result = await recorder.resultOf(REFRESH, client.refresh())
    view.show({ ...REFRESH, success: describeRefresh(session.tokens?.refresh === held) }, result)
    return result
  }
  const logout = async (): Promise<Result> => {
    const success = describeLogout(hasSession(session))
    recorder.start(LOGOUT)
    const result = await recorder.resultOf(LOGOUT, client.logout())
    view.show({ ...LOGOUT, success }, result)
    return result
  }

  return {
    login: (username, password) => exclusively(() => login(username, password)),
    perform: (call) => exclusively(() => perform(call)),
    refresh: () => exclusively(refresh),
    logout: () => exclusively(logout),
    expire: () =>
      exclusively(() => {
        ahead += session.settings.access
        return perform(AFTER_EXPIRY)
      }),
    fetch,
    replay: (refreshToken, success) =>
      exclusively(async () => {
        const exchange = await sendReplay(refreshToken)
        recorder.report(exchange)
        view.show({ ...REFRESH, success }, exchange.result, exchange.note)
        return exchange.result
      }),
    takeOffer: (offer, call) =>
      exclusively(async () => {
        if (call.path === REFRESH.path) return refresh()
        if (call.path === LOGOUT.path) return logout()
        if (offer !== 'refresh') return perform(call)
        const result = await refresh()
        return result.ok ? perform(call) : result
      }),
    listen: recorder.listen,
  }
}

async function sendReplay(token: string): Promise<Exchange> {
  const call = { ...REFRESH, token }
  return { call, result: await send(call), note: 'with an old refresh token' }
}

function toInit({ method, body }: PanelCall): RequestInit {
  const headers = { accept: 'application/json', ...(body && { 'content-type': 'application/json' }) }
  return { method, headers, ...(body && { body: JSON.stringify(body) }) }
}

/** Runs one task at a time. A task that comes while another runs is skipped and gives undefined. */
function createLock() {
  let busy = false
  return async <T>(task: () => Promise<T>): Promise<T | undefined> => {
    if (busy) return undefined
    busy = true
    document.documentElement.dataset['busy'] = 'true'
    try {
      return await task()
    } finally {
      busy = false
      delete document.documentElement.dataset['busy']
    }
  }
}

function describeRefresh(isSame: boolean): string {
  const token = 'You have a new access token. It is valid, but not fresh, because no password was checked.'
  return `${token} ${isSame ? 'The refresh token stays the same for now.' : 'The refresh token is new too.'}`
}

function describeLogout(hasEnded: boolean): string {
  if (hasEnded) return 'You are signed out. The session has ended on the server, and the tokens are gone.'
  return 'You are signed out. The tokens are gone from this page.'
}
