/** How a deployment is asked. */

/** How long a request may take, in milliseconds. */
const LONGEST = 5000

/** Where the routes are below an origin, unless the URL says it. */
const BASE_PATH = '/auth'

/** Where the routes are. */
export function toBasePath({ pathname }: URL): string {
  return pathname === '/' ? BASE_PATH : pathname.replace(/\/$/, '')
}

/** Sends a request. A redirect is not followed. */
export function sendRequest(
  url: URL,
  path: string,
  method: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const signal = AbortSignal.timeout(LONGEST)
  return fetch(new URL(path, url), { method, headers, redirect: 'manual', signal })
}

/** Reads a response as a JSON object; an empty one for any other. */
export async function readResponse(response: Response): Promise<Readonly<Record<string, unknown>>> {
  return Object(await response.json().catch(() => null)) as Record<string, unknown>
}

/** Why a request failed. The reason is in the cause. */
export function toNetworkReason(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: string; message?: string }; message: string }
  return cause?.code || cause?.message || message
}
