/** A browser: a jar that takes what `Set-Cookie` says when an answer arrives, and a script that repeats the CSRF value. */

/** Where a request goes. */
export type Send = (request: Request) => Promise<Response>

/** A jar. */
export interface Browser {
  readonly jar: ReadonlyMap<string, string>
  /** Sends a request with what is in the jar now. The answer reaches the jar when it is taken. */
  send(method: string, path: string, body?: unknown): Promise<Response>
  /** Puts the cookies of an answer into the jar. */
  take(response: Response): void
  /** Both. */
  go(method: string, path: string, body?: unknown): Promise<Response>
}

/** Opens a browser on an application. */
export function openBrowser(target: Send): Browser {
  const jar = new Map<string, string>()
  const find = (part: string): string | undefined => [...jar].find(([name]) => name.includes(part))?.[1]
  const send: Browser['send'] = (method, path, body) => {
    const headers = new Headers({
      Host: 'app.test',
      Origin: 'https://app.test',
      'Sec-Fetch-Site': 'same-origin',
    })
    if (jar.size > 0) headers.set('Cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '))
    const csrf = find('csrf')
    if (csrf !== undefined) headers.set('X-CSRF-Token', csrf)
    if (body !== undefined) headers.set('Content-Type', 'application/json')
    return target(
      new Request(`https://app.test${path}`, {
        method,
        headers,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    )
  }
  const take = (response: Response): void => {
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/; Max-Age=0(;|$)/.test(line)) jar.delete(name)
      else jar.set(name, value)
    }
  }
  return {
    jar,
    send,
    take,
    async go(method, path, body) {
      const response = await send(method, path, body)
      take(response)
      return response
    },
  }
}
