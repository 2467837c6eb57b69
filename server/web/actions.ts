/*
 * What a visitor can do on this page: sign in, call a route, refresh, step up, sign out. The
 * actions run one at a time.
 *
 * The library's client sends the requests. Its tokens are in cookies, it refreshes a token that is
 * about to expire, asks once who the user is if a route needs a fresh token, and repeats the call.
 * The recorder only watches, for the panels. An application needs no more than `client` and its
 * options.
 */

import { type AuthClient, createAuthClient } from 'tokenwright/client'
import type { Offer } from './advice.ts'
import { type Call, type Exchange, type Json, NO_RESULT, type Result } from './api.ts'
import { BASE_URL } from './base.ts'
import { useAPasskey } from './passkeys.ts'
import { createRecorder, REFRESH_PATH, type Recorder, STEP_UP_PATH, TOKEN_PATH } from './recorder.ts'
import type { Session } from './session.ts'

export type { Exchange } from './api.ts'

/** A call that a panel asks for. The client adds what proves who sends it. */
export type PanelCall = Omit<Call, 'token' | 'csrf'> & {
  /** What the page says when the call succeeds. */
  readonly success?: string
}

/** The parts of the page that the actions use. */
export interface ActionsView {
  /** Shows the result of a call. */
  show(call: PanelCall, result: Result): void
  /** The passkeys of the user. */
  passkeys(): readonly string[]
  /** Asks who the user is until the server accepts a proof. Undefined when the user cancels. */
  askProof(call: PanelCall, refused: Result, prove: Prove): Promise<Result | undefined>
}

/** The ways to step up. */
export interface Prove {
  /** By a password or a code. */
  text(proof: Json): Promise<Result>
  /** By a passkey. The code of the result is `no_passkey` when the user has used none. */
  passkey(): Promise<Result>
}

/** The actions. They return undefined while another action runs, and when the user cancels. */
export interface Actions {
  login(credentials: Json): Promise<Result | undefined>
  /** Signs in by a passkey. The code of the result is `no_passkey` when the user has used none. */
  loginByPasskey(remember: boolean): Promise<Result | undefined>
  /** Calls a route, steps up if the server asks for it, and shows the result. */
  perform(call: PanelCall): Promise<Result | undefined>
  refresh(): Promise<Result | undefined>
  /** Calls a route without showing the result, for panels that update themselves. */
  fetch(call: PanelCall): Promise<Result>
  logout(): Promise<Result | undefined>
  /** Takes the offer that a result made, then repeats the refused call. */
  takeOffer(offer: Offer, call: PanelCall): Promise<Result | undefined>
  /** Calls `listener` after every exchange. */
  listen(listener: (exchange: Exchange) => void): void
  /** Reports an exchange that another client of this page had. */
  report(exchange: Exchange): void
}

const REFRESH: PanelCall = {
  method: 'POST',
  path: REFRESH_PATH,
  success: 'You have a new access token. It is valid, but not fresh, because no one has proved who you are.',
}
const STEP_UP: PanelCall = { method: 'POST', path: STEP_UP_PATH }
const LOGOUT: PanelCall = {
  method: 'POST',
  path: '/auth/logout',
  success: 'You are signed out. The session has ended on the server, and the cookies are gone.',
}
const LOGIN: PanelCall = {
  method: 'POST',
  path: '/auth/login',
  success: 'The server checked who you are, so your token is fresh. It is in a cookie now.',
}
const TOKEN: PanelCall = { method: 'GET', path: TOKEN_PATH }

/** Creates the actions of this page. */
export function createActions(session: Session, view: ActionsView): Actions {
  const exclusively = createLock()
  const recorder = createRecorder()
  let latest: PanelCall = LOGIN

  const client = createAuthClient({
    baseUrl: BASE_URL,
    platform: { fetch: recorder.fetch },
    onStepUp: async () => {
      const refused = recorder.lastResult(latest)
      view.show(latest, refused)
      const proved = await view.askProof(latest, refused, {
        text: stepUp,
        async passkey() {
          const made = await useAPasskey(recorder.report, view.passkeys())
          return 'problem' in made ? toNoPasskey(made.problem) : stepUp(made.proof)
        },
      })
      return proved?.ok === true
    },
  })
  const stepUp = (proof: Json) => recorder.resultOf(STEP_UP, client.stepUp(proof))
  followSession(client, session, recorder)

  const fetch = (call: PanelCall) => recorder.resultOf(call, client.fetch(call.path, toInit(call)))
  const run = async (call: PanelCall, work: () => Promise<unknown>): Promise<Result> => {
    latest = call
    recorder.start(call)
    const result = await recorder.resultOf(call, work())
    if (result.code !== 'step_up_cancelled') view.show(call, result)
    return result
  }
  const perform = (call: PanelCall) => run(call, () => client.fetch(call.path, toInit(call)))
  const login = (credentials: Json) => run(LOGIN, () => client.login(credentials))
  const refresh = () => run(REFRESH, () => client.refresh())
  const logout = () => run(LOGOUT, () => client.logout())

  return {
    login: (credentials) => exclusively(() => login(credentials)),
    loginByPasskey: (remember) =>
      exclusively(async () => {
        const made = await useAPasskey(recorder.report)
        return 'problem' in made ? toNoPasskey(made.problem) : login({ ...made.proof, remember })
      }),
    perform: (call) => exclusively(() => perform(call)),
    refresh: () => exclusively(refresh),
    logout: () => exclusively(logout),
    fetch,
    takeOffer: (offer, call) =>
      exclusively(async () => {
        if (call.path === REFRESH.path) return refresh()
        if (call.path === LOGOUT.path) return logout()
        if (offer !== 'refresh') return perform(call)
        const result = await refresh()
        return result.ok ? perform(call) : result
      }),
    listen: recorder.listen,
    report: recorder.report,
  }
}

/** Shows each new token of the client, whatever tab or request has got it. */
function followSession(client: AuthClient, session: Session, recorder: Recorder): void {
  let shown = ''
  const follow = async (): Promise<void> => {
    const { status, expiresAt, login, fresh } = client.state
    const found = status === 'signed-out' ? status : JSON.stringify([login, expiresAt, fresh])
    if (status === 'unknown' || found === shown) return
    shown = found
    if (status === 'signed-out') return session.leave()
    const result = await recorder.resultOf(TOKEN, client.fetch(TOKEN.path, { stepUp: false }))
    if (result.ok && client.state.status === 'signed-in') session.show(result.body)
  }
  client.subscribe(() => void follow())
  // Without the cookie that scripts may read there is no session, and nothing to ask.
  if (document.cookie.includes('csrf_token=')) void client.ready.then(follow)
}

/** The result of a proof that was not made. */
function toNoPasskey(message: string): Result {
  return { ...NO_RESULT, code: 'no_passkey', message }
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
