/**
 * The address of a client, as the platform or a function of the application says it. It is only for
 * events and limits: nothing is decided by it alone.
 */
import { createWarnOnce } from '../internal/warn.ts'
import type { RequestInfo } from './request-port.ts'

/** What platforms know of a request, each in its own form. */
interface PlatformInfo {
  /** Of `toNodeHandler`. */
  readonly address?: unknown
  /** Of Hono on Node. */
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: unknown } }
  /** Of `Deno.serve`. */
  readonly remoteAddr?: { readonly hostname?: unknown }
  /** Of `Bun.serve`. */
  readonly requestIP?: (request: Request) => { readonly address?: unknown } | null
}

/**
 * The address of the connection of a request; undefined where the platform does not say it, as
 * Workers do not.
 *
 * @param info what the platform gives beside the request: `{ address }`, Node's request and
 *   response as Hono has them, or the second argument of a handler of `Deno.serve` or `Bun.serve`
 */
export function toPlatformAddress(request: Request, info: unknown): string | undefined {
  if (typeof info !== 'object' || info === null) return undefined
  const { address, incoming, remoteAddr } = info as PlatformInfo
  const known = address ?? incoming?.socket?.remoteAddress ?? remoteAddr?.hostname
  return toText(known) ?? toText(askBun(request, info))
}

/**
 * What a platform gives beside a request, in one form; undefined where it gives nothing.
 *
 * @param info as of `toPlatformAddress`
 */
export function toRequestInfo(request: Request, info: unknown): RequestInfo | undefined {
  if (typeof info !== 'object' || info === null) return undefined
  const { signal } = info as { readonly signal?: unknown }
  return { address: toPlatformAddress(request, info), signal: toSignal(signal) }
}

/** Other platforms may have something else under the same name. */
export function toSignal(value: unknown): AbortSignal | undefined {
  return value instanceof AbortSignal ? value : undefined
}

function askBun(request: Request, info: PlatformInfo): unknown {
  return typeof info.requestIP === 'function' ? info.requestIP(request)?.address : undefined
}

const warnOnce = createWarnOnce()

/**
 * Reads what a function of the application returns for the address of a client. Its failure takes
 * the address from an event, and nothing from the client.
 *
 * @param find returns a text; undefined or null where the address is unknown
 */
export function readAddress(find: () => unknown): string | undefined {
  let found: unknown
  try {
    found = find()
  } catch {
    found = false
  }
  if (found === undefined || found === null) return undefined
  const address = toText(found)
  if (address === undefined) {
    // A promise that rejects must not end the process.
    Promise.resolve(found).catch(() => undefined)
    warnOnce(
      'TOKENWRIGHT_ADDRESS',
      'The option `address` of guards threw, or returned no text: the events of their refusals have no address.',
    )
  }
  return address
}

function toText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
