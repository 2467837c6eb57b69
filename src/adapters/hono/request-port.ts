/**
 * Hono's context as a request port, and the cookies of a renewed token on their way out through it.
 * It decides nothing.
 */
import type { Context } from 'hono'
import { isSearchable, peekBody, readBodyHeaders, TOKEN_BODY_LIMIT, toMediaType } from '../../http/body.ts'
import type { RequestPort } from '../../http/request-port.ts'
import { addTokenCookies, toResponseHeaders } from '../../http/token-cookies.ts'

/**
 * What a middleware before has read through Hono, which keeps it; undefined for what was read past
 * Hono.
 */
async function readKeptBody({ req }: Context): Promise<unknown> {
  const headers = readBodyHeaders((name) => req.header(name))
  if (!isSearchable(headers, TOKEN_BODY_LIMIT)) return undefined
  try {
    const isForm = toMediaType(headers.type) === 'application/x-www-form-urlencoded'
    return await (isForm ? req.parseBody({ all: true }) : req.json())
  } catch {
    return undefined
  }
}

/** The request port over Hono's context. A class, because one is made for every request. */
export class ContextPort implements RequestPort {
  readonly #c: Context
  #renewed: readonly string[] | null = null

  /** @param c the context of one request */
  constructor(c: Context) {
    this.#c = c
  }

  /** The method in upper case. */
  get method(): string {
    return this.#c.req.method
  }

  /** The whole URL. */
  get url(): string {
    return this.#c.req.url
  }

  /** The value of a header; one that came several times is joined. */
  header(name: string): string | undefined {
    return this.#c.req.header(name)
  }

  /**
   * The members of a JSON or form body, read from a copy, so that the handler can still read it.
   * @throws {AuthError} request_invalid
   */
  body(): Promise<unknown> {
    const { raw } = this.#c.req
    return raw.bodyUsed ? readKeptBody(this.#c) : peekBody(raw, TOKEN_BODY_LIMIT)
  }

  /** Keeps the cookies of a renewed token until there is a response. */
  setCookies(lines: readonly string[]): void {
    this.#renewed = lines
  }

  /**
   * Calls the handlers, and adds these cookies. A handler that has just set or cleared a token,
   * such as logout, has the last word.
   */
  proceed(next: () => Promise<void>): Promise<void> {
    const renewed = this.#renewed
    return renewed === null ? next() : next().then(() => this.#addCookies(renewed))
  }

  #addCookies(lines: readonly string[]): void {
    const c = this.#c
    addTokenCookies(
      {
        // Hono makes a new response where the headers of the one that is there cannot be changed.
        ...toResponseHeaders(c.res.headers),
        get: (name) => c.res.headers.get(name) ?? undefined,
        set: (name, value) => c.header(name, value),
        delete: (name) => c.header(name),
        addCookies(added) {
          for (const line of added) c.header('Set-Cookie', line, { append: true })
        },
      },
      lines,
    )
  }
}
