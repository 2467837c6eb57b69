/**
 * The application's own requests: with the token attached, and sent again after a refresh or a
 * step-up. A refused request had no effect, so sending it again repeats nothing. A body that is a
 * stream can be sent once only: its token is refreshed ahead of time like any other, and a refusal
 * goes to the caller.
 */
import { AuthClientError, type Challenge, FRESH, isStale, readFailure, toSignedOut } from './client-error.ts'
import type { StepUpHandler } from './options.ts'
import type { Session } from './session.ts'
import type { Tokens } from './storage.ts'
import type { Transport } from './transport.ts'

export interface CallDependencies {
  readonly session: Session
  readonly transport: Transport
  /** Undefined when the application has no step-up dialog. */
  readonly stepUp: StepUpCoordinator | undefined
}

/** Sends a request of the application, at most three times. */
export async function call(
  dependencies: CallDependencies,
  input: string | URL | Request,
  init: RequestInit = {},
): Promise<Response> {
  const { session, transport, stepUp } = dependencies
  const { platform } = transport
  // A request of another realm, such as that of a frame, is no instance of this one's class.
  const given = typeof input === 'object' && 'clone' in input ? input : undefined
  const url = new URL(given?.url ?? (input as string | URL), transport.base)
  if (url.origin !== transport.base.origin) return platform.fetch(given ?? url, init)
  const streams = isStream(init.body)
  const recover = createRecovery(dependencies, streams)
  for (;;) {
    const used = await session.current()
    const closed = stepUp?.closed
    const withCookies = transport.byCookie && used !== null && !used.access
    // A new request each time, since a body can be read once.
    const request = new Request(given?.clone() ?? url, {
      ...(withCookies && { credentials: 'include' }),
      ...init,
    })
    if (request.headers.has('Authorization')) return platform.fetch(request)
    const response = await platform.fetch(transport.attach(request, used))
    if (response.status !== 401 || used === null) return response
    const failure = readFailure(response, await response.clone().text())
    if (!(await recover(failure, used, closed)) || streams) return response
    // Another user has logged in meanwhile: this user's call must not be made in that name.
    if (used.login && used.login !== session.state.login) throw toSignedOut()
  }
}

function isStream(body: unknown): boolean {
  const { getReader, [Symbol.asyncIterator]: iterate } = Object(body)
  return Boolean(getReader ?? iterate)
}

/** Tries to get a better token after a refusal. Resolves to whether sending again makes sense. */
type Recover = (failure: AuthClientError, used: Tokens, closed: number | undefined) => Promise<boolean>

/** The recovery of one call: one refresh and one step-up at most. */
function createRecovery({ session, stepUp }: CallDependencies, streams: boolean): Recover {
  let refreshed = false
  let proved = false
  return async ({ code, challenge }, used, closed) => {
    if (isStale(code) && !refreshed) {
      refreshed = true
      await session.refresh(used)
      return true
    }
    if (code !== FRESH || !stepUp || proved || streams) return false
    // A step-up may have succeeded while this request was under way: try its token first.
    if (session.tokens === used || !session.tokens?.fresh) {
      proved = true
      await stepUp.prove(challenge as Challenge, closed)
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
   * was read.
   */
  readonly prove: (challenge: Challenge, closed: number | undefined) => Promise<void>
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
  let last: Promise<void> | undefined
  const ask = async (challenge: Challenge): Promise<void> => {
    const controller = new AbortController()
    let unsubscribe: (() => void) | undefined
    open = true
    try {
      await new Promise<void>((resolve, reject) => {
        const cancel = (cause?: unknown): void =>
          reject(new AuthClientError('step_up_cancelled', { status: 401, challenge, cause }))
        // Fresh tokens close the dialog, also those of another tab. So does a sign-out.
        unsubscribe = session.subscribe(() =>
          session.state.fresh ? resolve() : session.tokens || reject(toSignedOut()),
        )
        const run = async (): Promise<unknown> => handler()?.({ ...challenge, signal: controller.signal })
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
    prove: (challenge, seen) => {
      if (!open && seen === closed) last = ask(challenge)
      return last as Promise<void>
    },
  }
}
