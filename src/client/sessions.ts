/**
 * The user's sessions, for the page that shows them. What does not use it does not pay for it:
 * bundlers leave it out.
 */

import { readFailure, readObject } from './client-error.ts'
import type { AuthRequestInit } from './options.ts'

/** What it uses of the client. */
export interface SessionSource {
  /** The client's `fetch`. */
  readonly fetch: (input: string, init?: AuthRequestInit) => Promise<Response>
}

/** A session as `GET /auth/sessions` lists it; times in epoch seconds. */
export interface ClientSession {
  /** The session's id. */
  readonly id: string
  /** Whether it is the session of this client. */
  readonly current: boolean
  /** When it was started. */
  readonly created_at: number
  /** When it was last refreshed. */
  readonly last_used_at: number
  /** When it ends if it is not used. */
  readonly expires_at: number
  /** When the user last authenticated; null when unknown. */
  readonly auth_time: number | null
  /** The IP address at the login; null when unknown. */
  readonly ip: string | null
  /** The `User-Agent` at the login; null when unknown. */
  readonly user_agent: string | null
}

/** The user's sessions. */
export interface ClientSessions {
  /** Lists those that have not ended. */
  list(): Promise<readonly ClientSession[]>
  /** Ends one. Asks for a step-up when the token is not fresh. */
  end(id: string): Promise<void>
  /** Ends all but this one. Asks for a step-up when the token is not fresh. */
  endOthers(): Promise<void>
}

/**
 * The sessions of the user of a client.
 *
 * @param basePath where `authRoutes` is mounted, as in the options of the client
 */
export function createSessionList(auth: SessionSource, basePath = '/auth'): ClientSessions {
  const ask = async <T>(method: string, path = ''): Promise<T> => {
    const response = await auth.fetch(`${basePath}/sessions${path}`, { method })
    const text = await response.text()
    if (!response.ok) throw readFailure(response, text)
    return readObject(text)['sessions'] as T
  }
  return {
    list: () => ask('GET'),
    end: (id) => ask('DELETE', `/${encodeURIComponent(id)}`),
    endOthers: () => ask('DELETE'),
  }
}
