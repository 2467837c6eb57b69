/**
 * The proxy of Next.js, formerly the middleware. It hands changed request headers to the page by
 * response headers, as `NextResponse.next({ request: { headers } })` writes them.
 */
import type { FetchGuards } from '../fetch-guards.ts'
import type { RefreshingOptions } from '../page-refresh.ts'

/** The rest of a proxy: it may return a response, or nothing to continue. */
export type ProxyHandler<R extends Request, Rest extends readonly unknown[]> = (
  request: R,
  ...rest: Rest
  // biome-ignore lint/suspicious/noConfusingVoidType: what a handler without `return` infers
) => Response | null | undefined | void | Promise<Response | null | undefined | void>

/** The response headers by which Next.js continues, and by which it replaces request headers. */
const NEXT = 'x-middleware-next'
const REWRITE = 'x-middleware-rewrite'
const OVERRIDE = 'x-middleware-override-headers'
const OVERRIDDEN = 'x-middleware-request-'

/**
 * Creates a proxy that refreshes. It continues where the handler returns nothing, and hands new
 * cookies on to the page, unless the handler has replaced the headers itself.
 */
export function createProxy<C, U, R extends Request, Rest extends unknown[]>(
  guard: Pick<FetchGuards<C, U>, 'refreshing'>,
  handler: ProxyHandler<R, Rest> = () => undefined,
  options: RefreshingOptions = {},
): (request: R, ...rest: Rest) => Promise<Response> {
  const refreshing = guard.refreshing<[before: string | null, ...Rest], R>(
    async (request, before, ...rest) => {
      const returned = await handler(request, ...rest)
      const response = returned ?? new Response(null, { headers: { [NEXT]: '1' } })
      return request.headers.get('cookie') === before ? response : handHeadersOn(request, response)
    },
    options,
  )
  return (request, ...rest) => refreshing(request, request.headers.get('cookie'), ...rest)
}

function handHeadersOn(request: Request, response: Response): Response {
  const { headers } = response
  const continues = headers.has(NEXT) || headers.has(REWRITE)
  if (!continues || headers.has(OVERRIDE)) return response
  const names: string[] = []
  for (const [name, value] of request.headers) {
    headers.set(OVERRIDDEN + name, value)
    names.push(name)
  }
  headers.set(OVERRIDE, names.join(','))
  return response
}
