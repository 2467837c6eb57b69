/**
 * The application's own requests: with the token attached, and sent once more when a refresh or a step-up can open the door.
 * A refused request was not carried out, so sending it again does nothing twice. A body that is a stream can be sent once only:
 * its token is refreshed ahead like any other's, and if it is refused all the same the refusal is the caller's.
 */
import { AuthClientError, type Challenge, FRESH, isStale, readFailure, toSignedOut } from './client-error.ts'
import type { StepUpHandler } from './options.ts'
import type { Session } from './session.ts'
import type { Transport } from './transport.ts'

/** The parts of a call. */
export interface CallDependencies {
  /** The session. */
  readonly session: Session
  /** The way to the server. */
  readonly transport: Transport
  /** Asks for a proof; undefined when nobody can. */
  readonly stepUp: StepUpCoordinator | undefined
}

function isStream(body: unknown): boolean {
  const { getReader, [Symbol.asyncIterator]: iterate } = Object(body)
  return Boolean(getReader ?? iterate)
}

/** Sends a request of the application, as often as needed and at most three times. */
export async function call(
  { session, transport, stepUp }: CallDependencies,
  input: string | URL | Request,
  init: RequestInit = {},
): Promise<Response> {
  const { platform } = transport
  const given = input instanceof Request ? input : undefined
  const url = new URL(given?.url ?? (input as string | URL), transport.base)
  if (url.origin !== transport.base.origin) return platform.fetch(given ?? url, init)
  const streams = isStream(init.body)
  let renewed = false
  let proved = false
  for (;;) {
    const used = await session.current()
    const asked = stepUp?.settled
    const withCookies = transport.byCookie && used !== null && !used.access
    // Made anew each time: whoever sends a body that is no stream can send it again.
    const request = new Request(given?.clone() ?? url, {
      ...(withCookies && { credentials: 'include' }),
      ...init,
    })
    if (request.headers.has('Authorization')) return platform.fetch(request)
    const response = await platform.fetch(transport.attach(request, used))
    if (response.status !== 401 || used === null) return response
    const { code, challenge } = readFailure(response, await response.clone().text())
    if (isStale(code) && !renewed) {
      renewed = true
      await session.refresh(used)
    } else if (code === FRESH && stepUp && !proved && !streams) {
      // Somebody may have stepped up while this request was on its way: then that is tried first.
      if (session.tokens === used || !session.tokens?.fresh) {
        proved = true
        await stepUp.prove(challenge as Challenge, asked)
      }
    } else return response
    if (streams) return response
    // Another user's login came between: what this one wanted must not be done in the other's name.
    if (used.login && used.login !== session.state.login) throw toSignedOut()
  }
}

/** The one question out of many. */
export interface StepUpCoordinator {
  /** How many questions have been settled. */
  readonly settled: number
  /** Asks, or waits for the answer to what was asked already: also one that came since `settled` was what is given. */
  readonly prove: (challenge: Challenge, settled: number | undefined) => Promise<void>
}

/**
 * Makes one question out of many: calls that are on their way together are answered together, even if the user is quicker
 * than the last refusal.
 *
 * @param handler the application's dialog, looked up when it is needed
 */
export function createStepUpCoordinator(
  session: Session,
  handler: () => StepUpHandler | undefined,
): StepUpCoordinator {
  let settled = 0
  let open = false
  let last: Promise<void> | undefined
  const ask = async (challenge: Challenge): Promise<void> => {
    const controller = new AbortController()
    let stop: (() => void) | undefined
    open = true
    try {
      await new Promise<void>((resolve, reject) => {
        const cancel = (cause?: unknown): void =>
          reject(new AuthClientError('step_up_cancelled', { status: 401, challenge, cause }))
        // Fresh tokens settle the question wherever they came from; a sign-out settles it too.
        stop = session.subscribe(() =>
          session.state.fresh ? resolve() : session.tokens || reject(toSignedOut()),
        )
        const answer = async (): Promise<unknown> => handler()?.({ ...challenge, signal: controller.signal })
        answer().then((done) => (done === false ? cancel() : resolve()), cancel)
      })
    } finally {
      stop?.()
      controller.abort()
      open = false
      settled++
    }
  }
  return {
    get settled() {
      return settled
    },
    prove: (challenge, seen) => {
      if (!open && seen === settled) last = ask(challenge)
      return last as Promise<void>
    },
  }
}
