/*
 * Records what a client of the library sends and receives, for the exchange log, the steps and the
 * panels. It changes no request and decides nothing.
 */

import { AuthClientError } from 'tokenwright/client'
import { type Call, type Exchange, type Json, NO_RESULT, observe, type Result } from './api.ts'
import { withoutBase } from './base.ts'

/** The target of a call. */
type Target = Pick<Call, 'path'>

/** The routes that the page calls without being asked. */
export const REFRESH_PATH = '/auth/refresh'
export const TOKEN_PATH = '/token'
export const ACCOUNT_PATH = '/account'
const SESSION_PATH = '/auth/session'

/** Those that prove who the user is. */
export const STEP_UP_PATH = '/auth/step-up'
export const CHALLENGE_PATH = '/passkeys/challenge'

/** The results of one action, by path. */
export interface Recorder {
  /** Sends a request for the client. */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>
  /** The last result of a call. If the call was not sent: the error of the client. */
  lastResult(target: Target, error?: unknown): Result
  /** Waits for the client and returns the result of a call. */
  resultOf(target: Target, work: Promise<unknown>): Promise<Result>
  /** Starts a new action: forgets the results of the one before. */
  start(target: Target): void
  /** Calls `listener` after every exchange. */
  listen(listener: (exchange: Exchange) => void): void
  /** Reports an exchange to the listeners. */
  report(exchange: Exchange): void
}

/** Creates the recorder. */
export function createRecorder(): Recorder {
  const listeners: ((exchange: Exchange) => void)[] = []
  let results = new Map<string, Result>()
  let started: Target | undefined

  /** Why the client sends this, if no user asked for it. */
  const toNote = ({ path }: Call): string | undefined => {
    if (path === TOKEN_PATH) return 'so that this page can show the token'
    if (path === ACCOUNT_PATH) return 'so that this page knows how you can sign in'
    if (results.has(path) && path === started?.path) return 'repeated automatically'
    const isAutomatic = path === SESSION_PATH || (path === REFRESH_PATH && started?.path !== path)
    return isAutomatic ? 'sent automatically' : undefined
  }
  const report = (exchange: Exchange): void => {
    for (const listener of listeners) listener(exchange)
  }
  const lastResult = ({ path }: Target, error?: unknown): Result => {
    const result = error === undefined ? results.get(path) : undefined
    return result ?? toResult(error, results.get(path) ?? results.get(REFRESH_PATH))
  }
  return {
    async fetch(input, init) {
      const request = new Request(input, init)
      const call = await toCall(request)
      const note = toNote(call)
      const { result, response, cause } = await observe(request)
      results.set(call.path, result)
      report({ call, result, note })
      if (response === undefined) throw cause
      return response
    },
    lastResult,
    async resultOf(target, work) {
      try {
        await work
        return lastResult(target)
      } catch (error) {
        return lastResult(target, error)
      }
    },
    start(target) {
      results = new Map()
      started = target
    },
    listen: (listener) => void listeners.push(listener),
    report,
  }
}

/** The result when the client gave up: the server's last response if it refused, else the error. */
function toResult(error: unknown, last: Result | undefined): Result {
  if (last !== undefined && !last.ok && !isCancelled(error)) return last
  if (!(error instanceof AuthClientError)) return NO_RESULT
  const { code, status, message } = error
  return { ...NO_RESULT, status, code, message }
}

function isCancelled(error: unknown): boolean {
  return error instanceof AuthClientError && error.code === 'step_up_cancelled'
}

/** A request of the client as the exchange log shows it. */
async function toCall(request: Request): Promise<Call> {
  const text = await request.clone().text()
  return {
    method: request.method as Call['method'],
    path: withoutBase(new URL(request.url).pathname),
    csrf: request.headers.get('x-csrf-token') ?? undefined,
    body: text === '' ? undefined : (JSON.parse(text) as Json),
  }
}
