/** Hono's context as a request port, which also adds the cookies of a renewed token. */
import type { Context } from 'hono'
import { isSearchable, peekBody, readBodyHeaders, TOKEN_BODY_LIMIT, toMediaType } from '../../http/body.ts'
import { readAddress, toPlatformAddress } from '../../http/client-address.ts'
import type { RequestPort } from '../../http/request-port.ts'
import { addTokenCookies, toResponseHeaders, withTokenCookies } from '../../http/token-cookies.ts'

/** The body that an earlier middleware read with Hono, which keeps it; undefined without Hono. */
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

/** Says the address of a client. */
type FindAddress = (c: Context) => string | null | undefined

/** The request port of Hono's context. A class, because every request needs one. */
export class ContextPort implements RequestPort {
  readonly #c: Context
  readonly #findAddress: FindAddress | null
  #renewed: readonly string[] | null = null

  /**
   * @param c the context of one request
   * @param findAddress the application's function for the client's address; null for none
   */
  constructor(c: Context, findAddress: FindAddress | null) {
    this.#c = c
    this.#findAddress = findAddress
  }

  /** The client's address, for events. */
  get address(): string | undefined {
    const c = this.#c
    const find = this.#findAddress
    return find === null ? toPlatformAddress(c.req.raw, c.env) : readAddress(() => find(c))
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
   *
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
   * Calls the handlers, and adds these cookies unless a handler has set or cleared one itself, as
   * logout does.
   */
  proceed(next: () => Promise<void>): Promise<void> {
    const renewed = this.#renewed
    return renewed === null ? next() : next().then(() => this.#addCookies(renewed))
  }

  /** Adds these cookies to a response of our own. */
  addCookies(response: Response): Response {
    return withTokenCookies(response, this.#renewed ?? [])
  }

  /** Adds these cookies to the response that the application's error handler will make. */
  prepareCookies(): void {
    for (const line of this.#renewed ?? []) this.#c.header('Set-Cookie', line, { append: true })
  }

  #addCookies(lines: readonly string[]): void {
    const c = this.#c
    addTokenCookies(
      {
        // Hono makes a new response if the headers of the current one are immutable.
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
