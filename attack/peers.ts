/**
 * Servers beside the application that a case scripts: an issuer, an endpoint for introspection, a
 * feed of revocations, or one that must never be asked. Each is an HTTP server on a free port of
 * 127.0.0.1 that counts what it gets. `attack/cases/README.md` describes the form of a script.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ISSUER } from './target.ts'
import { countOf, isArray, isMembers, toJson, Unsupported, type Value } from './values.ts'

/** How a response stalls. `body` is what it would say. */
const STALLS: Readonly<Record<string, (response: ServerResponse, body: string) => void>> = {
  // Nothing comes.
  silent: () => undefined,
  // Blanks without end, as fast as they are read.
  endless: (response) => {
    const write = (): void => {
      if (response.destroyed) return
      if (response.write(BLANKS)) setImmediate(write)
      else response.once('drain', write)
    }
    write()
  },
  // One blank after another, so that the connection is never idle.
  slow: (response) => {
    const timer = setInterval(() => response.write(' '), 100)
    response.on('close', () => clearInterval(timer))
  },
  // The connection ends in the middle of the body.
  cut: (response, body) => {
    response.setHeader('Content-Length', Buffer.byteLength(body))
    response.write(body.slice(0, body.length / 2), () => response.destroy())
  },
}

const BLANKS = Buffer.alloc(65_536, ' ')

/** A page of revocations that says that nothing was revoked. */
const EMPTY_PAGE = { entries: [], cursor: '1.x', more: false, restarted: false, covers: 900 } as const

/** What is responded to the requests that hold a text. */
interface Reply {
  /** A text in the target or the body of a request; undefined for any request. */
  readonly when: string | undefined
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The body, or the members of a page of revocations that differ from the empty one. */
  readonly body: string | { readonly [name: string]: Value }
  readonly stall: string | undefined
}

const REPLY_MEMBERS: readonly string[] = ['when', 'status', 'headers', 'json', 'text', 'page', 'stall']

/** Reads what a path responds: one reply, or under `replies` several, of which the first fits. */
function toReplies(value: Value): readonly Reply[] {
  const replies = isMembers(value) ? (value['replies'] ?? [value]) : undefined
  if (replies === undefined || !isArray(replies)) throw new Unsupported('a path needs an object')
  return replies.map(toReply)
}

function toReply(value: Value): Reply {
  if (!isMembers(value)) throw new Unsupported('a reply must be an object')
  const unknown = Object.keys(value).find((name) => !REPLY_MEMBERS.includes(name))
  if (unknown !== undefined) throw new Unsupported(`unknown member '${unknown}' of a reply`)
  const { when, status = 200, headers = {}, json, text, page, stall } = value
  if (stall !== undefined && !(typeof stall === 'string' && Object.hasOwn(STALLS, stall)))
    throw new Unsupported(`unknown stall ${toJson(stall)}`)
  if (!isMembers(headers)) throw new Unsupported("'headers' of a reply must be an object")
  const type = json === undefined && page === undefined ? 'text/plain' : 'application/json'
  return {
    when: typeof when === 'string' ? when : undefined,
    status: countOf(status, 'status', 599),
    headers: {
      'content-type': type,
      ...Object.fromEntries(Object.entries(headers).map(([name, one]) => [name, String(one)])),
    },
    body: isMembers(page) ? page : json === undefined ? String(text ?? '') : toJson(json),
    stall: stall as string | undefined,
  }
}

/** A request that is held until there is something new to say. */
interface Held {
  readonly path: string
  readonly query: URLSearchParams
  readonly response: ServerResponse
}

/** One server. */
export class Peer {
  /** The path of each request, in order. */
  readonly requests: string[] = []
  /** How many connections it got. */
  connections = 0
  readonly #server: Server
  readonly #paths = new Map<string, readonly Reply[]>()
  readonly #held = new Set<Held>()

  private constructor() {
    this.#server = createServer((request, response) => void this.#receive(request, response))
    this.#server.on('connection', () => {
      this.connections += 1
    })
    // What is no HTTP, such as a TLS handshake, has counted as a connection.
    this.#server.on('clientError', (_error, socket) => socket.destroy())
  }

  /** Starts a server that responds 404 to everything. */
  static async start(): Promise<Peer> {
    const peer = new Peer()
    await new Promise<void>((resolve) => peer.#server.listen(0, '127.0.0.1', resolve))
    return peer
  }

  /** Its port. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Its origin. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Changes what it responds at a path; null for 404. Requests that were held get it, too. */
  script(path: string, value: Value): void {
    if (value === null) this.#paths.delete(path)
    else this.#paths.set(path, toReplies(value))
    for (const held of this.#held) {
      if (held.path !== path) continue
      this.#held.delete(held)
      const reply = this.#paths.get(path)?.find(({ when }) => when === undefined)
      if (reply !== undefined) send(reply, held.query, held.response)
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, search, searchParams } = new URL(`http://peer${request.url}`)
    this.requests.push(pathname)
    let text = search
    for await (const bytes of request) text += String(bytes)
    const decoded = text.replace(/%[0-9a-f]{2}/gi, (code) =>
      String.fromCharCode(Number.parseInt(code.slice(1), 16)),
    )
    const reply = this.#paths.get(pathname)?.find(({ when }) => when === undefined || decoded.includes(when))
    if (reply === undefined) response.writeHead(404).end()
    else if (typeof reply.body !== 'string' && searchParams.has('wait'))
      this.#held.add({ path: pathname, query: searchParams, response })
    else send(reply, searchParams, response)
  }
}

function send({ status, headers, body, stall }: Reply, query: URLSearchParams, response: ServerResponse) {
  const isPage = typeof body !== 'string'
  const content = isPage ? toJson({ iss: ISSUER, now: Date.now() / 1000, ...EMPTY_PAGE, ...body }) : body
  response.statusCode = status
  const right = isPage && {
    etag: '"1"',
    'revocations-as-of': '0.000',
    'revocations-nonce': query.get('nonce') ?? '',
  }
  for (const [name, value] of Object.entries({ ...right, ...headers })) response.setHeader(name, value)
  if (stall === undefined) response.end(content)
  else STALLS[stall]?.(response, content)
}
