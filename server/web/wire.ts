/*
 * What the library's client sends and receives, looked at on its way: for the journal, the journey
 * and the panels. The tokens that come along are put on show once the client has them. Changes
 * nothing and decides nothing.
 */

import { AuthClientError } from 'tokenwright/client'
import { type Answer, type Call, type Exchange, type Json, observe } from './api.ts'
import type { Session } from './session.ts'

/** Where a call goes. */
type Place = Pick<Call, 'path'>

/** The one route that the client asks by itself. */
export const REFRESH_PATH = '/auth/refresh'

/** What the client has sent in one conversation, and the answers. */
export interface Wire {
  /** Sends for the client. */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>
  /** The last answer to a call; where none was sent, what the client said instead. */
  answerTo(wish: Place, error?: unknown): Answer
  /** Waits for the client, and answers what the server said. */
  settle(wish: Place, work: Promise<unknown>): Promise<Answer>
  /** Forgets the answers: from here on a new piece of work begins. */
  begin(asked: Place): void
  /** Takes over the tokens that the client has received. */
  takeOver(): void
  listen(listener: (exchange: Exchange) => void): void
  tell(exchange: Exchange): void
}

/** Looks at what the client sends. */
export function createWire(session: Session): Wire {
  const listeners: ((exchange: Exchange) => void)[] = []
  let answers = new Map<string, Answer>()
  let received: Json | undefined
  let begun: Place | undefined

  /** Why the client sends this, when nobody asked for it. */
  const toNote = ({ path }: Call): string | undefined => {
    if (answers.has(path) && path === begun?.path) return 'repeated by the client'
    return path === REFRESH_PATH && begun?.path !== path ? 'by the client itself' : undefined
  }
  const tell = (exchange: Exchange): void => {
    for (const listener of listeners) listener(exchange)
  }
  const answerTo = ({ path }: Place, error?: unknown): Answer => {
    const answer = error === undefined ? answers.get(path) : undefined
    return answer ?? toAnswer(error, answers.get(path) ?? answers.get(REFRESH_PATH))
  }
  const takeOver = (): void => {
    const body = received
    received = undefined
    if (body !== undefined) session.keep(body)
  }
  return {
    async fetch(input, init) {
      const request = new Request(input, init)
      const call = await toCall(request)
      const note = toNote(call)
      const { answer, response, cause } = await observe(request)
      answers.set(call.path, answer)
      if (answer.ok && typeof answer.body['access_token'] === 'string') received = answer.body
      tell({ call, answer, note })
      if (response === undefined) throw cause
      return response
    },
    answerTo,
    async settle(wish, work) {
      try {
        await work
        return answerTo(wish)
      } catch (error) {
        return answerTo(wish, error)
      } finally {
        takeOver()
      }
    },
    begin(wish) {
      answers = new Map()
      begun = wish
    },
    takeOver,
    listen: (listener) => void listeners.push(listener),
    tell,
  }
}

/** What the client said where it could not go on; the server's own words where there are any. */
function toAnswer(error: unknown, last: Answer | undefined): Answer {
  if (last !== undefined && !last.ok && !isCancelled(error)) return last
  const { code, status, message } =
    error instanceof AuthClientError ? error : { code: 'unreachable', status: 0, message: 'No answer' }
  return {
    ok: false,
    status,
    code,
    message,
    challenge: undefined,
    retryAfter: undefined,
    body: {},
    took: 0,
  }
}

function isCancelled(error: unknown): boolean {
  return error instanceof AuthClientError && error.code === 'step_up_cancelled'
}

/** A request of the client as the journal writes it down. */
async function toCall(request: Request): Promise<Call> {
  const token = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1]
  const text = await request.clone().text()
  return {
    method: request.method as Call['method'],
    path: new URL(request.url).pathname,
    token,
    body: text === '' ? undefined : (JSON.parse(text) as Json),
  }
}
