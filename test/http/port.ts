/** A request port for tests: headers by name in lower case, everything else with a harmless default. */
import type { RequestPort } from '../../src/http/request-port.ts'

/** What a test says of its request; `body` is what the adapter's reader would give. */
export interface Sketch {
  readonly method?: string
  readonly url?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: unknown
}

/** Makes a request port out of a sketch. */
export function toPort({ method = 'GET', url = '/', headers = {}, body }: Sketch): RequestPort {
  return {
    method,
    url,
    header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
    body: () => body,
  }
}

/** The code, status and message of what a call throws or rejects with; `'nothing'` when it does not. */
export async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act()
  } catch (error) {
    return (error as { code?: string }).code ?? `not an AuthError: ${String(error)}`
  }
  return 'nothing'
}
