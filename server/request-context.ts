/**
 * What the audit log knows of the request that is being served: an identifier, where it came from
 * and where it went. The identifier is in the response too, so that a user can name it.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import type { HttpBindings } from '@hono/node-server'
import type { Context, MiddlewareHandler } from 'hono'

/** One request. */
export interface RequestFacts {
  /** The identifier: from `X-Request-Id` where that is one, else a new one. */
  readonly request: string
  readonly method: string
  /** The path, without its query. */
  readonly route: string
  readonly address: string | null
  /** The user agent. */
  readonly agent: string | null
}

/** An identifier of a proxy: no text that a log or a search could take for something else. */
const ID = /^[\w.:+/=-]{1,128}$/

/** The longest user agent and path that are kept, in characters. */
const LONGEST = 256

const requests = new AsyncLocalStorage<RequestFacts>()

/** The request that is being served; undefined outside of one. */
export function currentRequest(): RequestFacts | undefined {
  return requests.getStore()
}

/** Serves each request with its facts. @param findAddress says the address of the client */
export function trackRequests(findAddress: (context: Context) => string | undefined): MiddlewareHandler {
  return async (context, next) => {
    const { req } = context
    const given = req.header('x-request-id') ?? ''
    const request = ID.test(given) ? given : randomUUID()
    const facts = {
      request,
      method: req.method,
      route: req.path.slice(0, LONGEST),
      address: findAddress(context) ?? null,
      agent: req.header('user-agent')?.slice(0, LONGEST) ?? null,
    }
    await requests.run(facts, next)
    context.header('X-Request-Id', request)
  }
}

/** The address of the connection. Undefined if the request has no socket. */
export function addressOf({ env }: Context): string | undefined {
  const { incoming }: Partial<HttpBindings> = env ?? {}
  return incoming?.socket.remoteAddress
}
