/**
 * The application's own requests: with the token attached, and sent again after a refresh or a
 * step-up. A refused request had no effect, so sending it again repeats nothing. After a redirect
 * the refusal is about another request: only a GET is sent again then, and to where it led. A body
 * that is not kept can be sent once only: its token is refreshed ahead of time like any other, and
 * a refusal goes to the caller.
 */
import { heed, openRequest } from './call-request.ts'
import { AuthClientError, type Challenge, FRESH, isStale, readFailure, toSignedOut } from './client-error.ts'
import type { Events } from './events.ts'
import type { AuthRequestInit, StepUpHandler } from './options.ts'
import type { Session } from './session.ts'
import type { Tokens } from './storage.ts'
import { isSafe, type Transport } from './transport.ts'

export interface CallDependencies {
  readonly session: Session
  readonly transport: Transport
  readonly events: Events
  /** Undefined when the application has no step-up dialog. */
  readonly stepUp: StepUpCoordinator | undefined
}

/** Sends a request of the application, at most three times. */
export async function call(
  dependencies: CallDependencies,
  input: string | URL | Request,
  init: AuthRequestInit = {},
): Promise<Response> {
  const { session, transport, events, stepUp } = dependencies
  const { platform, base } = transport
  const replayable = openRequest(input, init, transport)
  const { signal, method } = replayable
  let login = session.known
  if (new URL(replayable.url).origin !== base.origin)
    return platform.fetch(replayable.given ?? replayable.url, init)
  const recover = createRecovery(dependencies, signal)
  for (;;) {
    // When another user has logged in, this user's call must not be made in that name.
    const used = await heed(signal, session.current(0, login))
    login = session.known
    const closed = stepUp?.closed
    const isAsked = used !== null || session.state.status === 'unknown'
    const withCookies = transport.byCookie && isAsked && !used?.access
    const request = replayable.create(transport.guardRedirects(method, withCookies))
    if (request.headers.has('Authorization')) return platform.fetch(request)
    for (const [name, value] of Object.entries(transport.headers(method, used)))
      request.headers.set(name, value)
    const response = await platform.fetch(request)
    const isRefused = response.status === 401 || (response.status === 403 && withCookies)
    if (!isRefused || !isAsked) return response
    if (response.redirected && !(isSafe(method) && replayable.redirect(response.url))) return response
    const failure = readFailure(response, await response.clone().text())
    const mayAsk = replayable.isKept
    events.note(method, new URL(replayable.url).pathname, failure.code)
    if (!(await recover(failure, used, closed, mayAsk)) || !mayAsk) return response
  }
}

/**
 * Tries to get a better token after a refusal. Resolves to whether sending again makes sense.
 *
 * @param mayAsk whether the request can be sent again, so that a step-up is worth the asking
 */
type Recover = (
  failure: AuthClientError,
  used: Tokens | null,
  closed: number | undefined,
  mayAsk: boolean,
) => Promise<boolean>

/** The recovery of one call: one refresh and one step-up at most. */
function createRecovery({ session, stepUp }: CallDependencies, signal: AbortSignal | undefined): Recover {
  let refreshed = false
  let proved = false
  return async ({ code, challenge }, used, closed, mayAsk) => {
    if (isStale(code) && !refreshed) {
      refreshed = true
      const renewed = session.refresh(used)
      // Whoever was not known to be signed in gets the refusal itself.
      if (used === null)
        return renewed.then(
          () => true,
          () => false,
        )
      await heed(signal, renewed)
      return true
    }
    if (code !== FRESH || !stepUp || proved || !mayAsk) return false
    // A step-up may have succeeded while this request was under way: try its token first.
    if (session.tokens === used || !session.tokens?.fresh) {
      proved = true
      await stepUp.prove(challenge as Challenge, closed, signal)
    }
    return true
  }
}

/** Shares one step-up dialog among all calls that wait for it. */
export interface StepUpCoordinator {
  /** How many dialogs have closed so far. */
  readonly closed: number
  /**
   * Opens the dialog, or joins the open one. Joins the last one, too, if it closed after `closed`
   * was read. The dialog closes when the signals of all that wait for it are aborted.
   */
  readonly prove: (
    challenge: Challenge,
    closed: number | undefined,
    signal: AbortSignal | undefined,
  ) => Promise<void>
}

/**
 * Shares one dialog among calls that are under way together, even when the user is quicker than the
 * last refusal.
 *
 * @param handler the application's dialog, looked up each time that one opens
 */
export function createStepUpCoordinator(
  session: Session,
  handler: () => StepUpHandler | undefined,
): StepUpCoordinator {
  let closed = 0
  let open = false
  let waiting = 0
  let abandon: (() => void) | undefined
  let last: Promise<void> | undefined
  const ask = async (challenge: Challenge): Promise<void> => {
    const controller = new AbortController()
    let unsubscribe: (() => void) | undefined
    open = true
    try {
      await new Promise<void>((resolve, reject) => {
        const cancel = (cause?: unknown): void =>
          reject(new AuthClientError('step_up_cancelled', { status: 401, challenge, cause }))
        abandon = cancel
        // Fresh tokens close the dialog, also those of another tab. So does a sign-out.
        unsubscribe = session.events.on('change', () =>
          session.state.fresh ? resolve() : session.tokens || reject(toSignedOut()),
        )
        const request = { ...challenge, signal: controller.signal }
        session.events.emit('step-up', request)
        const run = async (): Promise<unknown> => handler()?.(request)
        run().then((done) => (done === false ? cancel() : resolve()), cancel)
      })
    } finally {
      unsubscribe?.()
      controller.abort()
      open = false
      closed++
    }
  }
  return {
    get closed() {
      return closed
    },
    async prove(challenge, seen, signal) {
      if (!open && seen === closed) last = ask(challenge)
      waiting++
      try {
        await heed(signal, last as Promise<void>)
      } finally {
        waiting--
        if (waiting === 0) abandon?.()
      }
    },
  }
}
