/**
 * Follows the revocations of another service over HTTP. It reads what is there, then has the other
 * service hold a request until something was revoked. Whatever is not a page of the right service
 * is an outage: never does it mean that nothing was revoked.
 */
import {
  AS_OF_HEADER,
  LONGEST_HOLD,
  NONCE_HEADER,
  type PageOwner,
  readPageOwner,
  readRevocationPage,
} from '../http/revocation-page.ts'
import { randomId } from '../internal/bytes.ts'
import type { Clock } from '../internal/duration.ts'
import { exchange, type FetchLike, type Reply } from '../internal/exchange.ts'
import { parseObject } from '../internal/json.ts'
import { toOutage } from '../internal/outage.ts'
import { createWarnOnce } from '../internal/warn.ts'
import { BoundedCalls } from '../session/bounded-calls.ts'
import type { CallLoad } from '../session/call-queue.ts'
import { monotonic } from '../session/clocks.ts'
import {
  type LogClient,
  type LogReading,
  POLL_INTERVAL,
  type RestState,
  sleep,
} from '../session/log-client.ts'
import type { RevocationQuery } from '../session/store.ts'

/** Where the feed is, and how it is reached. */
export interface FeedAddress {
  /** The address of the route. */
  readonly url: string
  /** The `Authorization` header. */
  readonly authorization: string
  /** Sends a request. */
  readonly send: FetchLike
}

/** What the application is that follows. */
export interface FeedContext {
  /** The issuer of its tokens, which the feed must be of; undefined where it has none. */
  readonly issuer: string | undefined
  /** Its realm, which the feed must be of; undefined for none. */
  readonly realm: string | undefined
  /** How long it may learn nothing, in seconds. */
  readonly maxStale: number
  /** Its time. */
  readonly clock: Clock
}

/** What of the last page holds for a response that says that nothing has changed. */
interface LastPage {
  readonly tag: string
  readonly cursor: string
  readonly now: number
  readonly covers: number
}

/** A page that was read ahead, and the cursor that it follows on. */
interface ReadAhead {
  readonly cursor: string
  readonly reading: LogReading
}

/** How long a response may take, in seconds, beyond the time for which it is held. */
const DEADLINE = 2

/** The largest response, in bytes: a page of 20,000 entries. */
const MAX_BYTES = 8 * 1024 * 1024

/** How many tokens may be asked about at once; further ones wait. */
const QUESTIONS_AT_ONCE = 64

/**
 * How long a request is held, in seconds. A connection that dies without a word is noticed after
 * that and the deadline.
 */
const WAIT = 5

/** The share of `maxStale` for which a request is held at most. */
const SHARE_OF_STALE = 0.25

/** The shortest and the longest pause between two requests, in seconds. */
const SHORTEST_PAUSE = 0.05
const LONGEST_PAUSE = 2

/** How long no request is held after the other service had no place for one, in seconds. */
const CROWDED = 5

/** Clocks further apart than this are told of, in seconds. Log entries outlive tokens by 120. */
const TOLERABLE_SKEW = 60

/** Follows one feed for one application. */
export class FeedClient implements LogClient {
  /** One reading of the log serves all requests, a question about a token one. */
  readonly isRemote = true
  readonly #address: FeedAddress
  readonly #context: FeedContext
  readonly #calls = new BoundedCalls('the feed of revocations', {
    deadline: DEADLINE,
    inFlight: QUESTIONS_AT_ONCE,
  })
  readonly #warn = createWarnOnce()
  #closing = new AbortController()
  #holding = new AbortController()
  #ahead: ReadAhead | null = null
  #askedAt = Number.NEGATIVE_INFINITY
  #crowdedUntil = Number.NEGATIVE_INFINITY
  #last: LastPage | null = null

  /** @param address where the feed is */
  constructor(address: FeedAddress, context: FeedContext) {
    this.#address = address
    this.#context = context
  }

  /** The other service's store has its own time. */
  now(): null {
    return null
  }

  /** How many questions about tokens are in flight and how many wait. */
  load(): CallLoad {
    return this.#calls.load()
  }

  /** Reads the log, or returns the page that a rest has ended with. */
  async readLog(cursor: string | null): Promise<LogReading> {
    const ahead = this.#ahead
    this.#ahead = null
    if (ahead !== null && ahead.cursor === cursor) return ahead.reading
    try {
      return await this.#fetchPage(cursor, 0, this.#closing.signal)
    } catch (error) {
      throw this.#toOutage(error)
    }
  }

  /** Has a request held until there is an entry; after a failure, waits longer each time. */
  async rest({ cursor, isCaughtUp, failures }: RestState): Promise<void> {
    this.#holding = new AbortController()
    const { signal } = this.#holding
    await sleep(toPause(monotonic() - this.#askedAt, failures))
    if (cursor === null || !isCaughtUp || failures > 0 || signal.aborted) return
    if (monotonic() < this.#crowdedUntil) return
    const wait = Math.min(WAIT, LONGEST_HOLD, this.#context.maxStale * SHARE_OF_STALE)
    try {
      const reading = await this.#fetchPage(cursor, wait, signal)
      if (!signal.aborted) this.#ahead = { cursor, reading }
    } catch (error) {
      // The next reading asks again without being held, and finds out whether it fails too.
      if (error instanceof Crowded) this.#crowdedUntil = monotonic() + CROWDED
    }
  }

  /** Ends a request that is held: what it says may be outdated. */
  interrupt(): void {
    this.#ahead = null
    this.#holding.abort()
  }

  /** Asks the other service about one token. */
  isRevoked(query: RevocationQuery): Promise<boolean> {
    const { sid, jti, sub, iat } = query
    const named = { sid: sid ?? undefined, jti: jti ?? undefined, sub, iat: iat ?? undefined }
    const json = JSON.stringify(named)
    return this.#calls.run(async () => {
      try {
        const { text } = await this.#send({ query: '', json, wait: 0, signal: this.#closing.signal })
        const { revoked, ...owner } = parseObject(text) ?? {}
        this.#checkOwner(readPageOwner(owner))
        if (typeof revoked !== 'boolean') throw new Error('`revoked` is neither true nor false')
        return revoked
      } catch (error) {
        throw this.#toOutage(error)
      }
    }, 'ordinary')
  }

  /** Ends what is in flight. */
  close(): void {
    this.interrupt()
    this.#closing.abort()
    this.#closing = new AbortController()
  }

  /** @param wait how long the request is held, in seconds */
  async #fetchPage(cursor: string | null, wait: number, signal: AbortSignal): Promise<LogReading> {
    const nonce = randomId()
    const query = new URLSearchParams({
      nonce,
      ...(cursor !== null && { cursor }),
      ...(wait > 0 && { wait: wait.toFixed(3) }),
    })
    const known = this.#last?.cursor === cursor ? this.#last : null
    const askedAt = monotonic()
    this.#askedAt = askedAt
    const reply = await this.#send({ query: `?${query}`, wait, tag: known?.tag, signal })
    if (reply.headers.get(NONCE_HEADER) !== nonce)
      throw new Error('the response is not to this request: does a cache stand in between?')
    const asOf = Number(reply.headers.get(AS_OF_HEADER) ?? Number.NaN)
    if (!Number.isFinite(asOf)) throw new Error('the response does not say as of when it is complete')
    // What lies after the request cannot lie after its response.
    const completeAt = Math.min(askedAt + asOf, monotonic())
    return reply.status === 304
      ? this.#toUnchanged(known, reply, completeAt)
      : this.#toReading(reply, completeAt)
  }

  #toReading(reply: Reply, completeAt: number): LogReading {
    const page = readRevocationPage(parseObject(reply.text))
    this.#checkOwner(page)
    const { entries, cursor, more, restarted, covers } = page
    if (more && entries.length === 0 && cursor === this.#last?.cursor)
      throw new Error('the page says that there is more, and nothing is in it')
    const tag = reply.headers.get('etag') ?? ''
    this.#last = { tag, cursor, covers, now: page.now }
    return { entries, cursor, more, restarted, covers, completeAt, now: this.#toNow(page.now) }
  }

  #toUnchanged(known: LastPage | null, { headers }: Reply, completeAt: number): LogReading {
    if (known === null || headers.get('etag') !== known.tag)
      throw new Error('the response says that nothing has changed, and nothing was asked of that')
    const { cursor, covers, now } = known
    return { entries: [], cursor, more: false, covers, completeAt, now: this.#toNow(now) }
  }

  /**
   * The time by which entries are forgotten: the earlier one of both clocks. A service whose clock
   * is behind accepts a token for longer, and so must know of its revocation for longer.
   */
  #toNow(theirs: number): number {
    const ours = this.#context.clock()
    if (theirs - ours > TOLERABLE_SKEW)
      this.#warn(
        'TOKENWRIGHT_CLOCK_SKEW',
        'The clock of this service is more than a minute behind that of the service whose revocations it follows: it accepts tokens for longer than it should. Set it by NTP.',
      )
    return Math.min(theirs, ours)
  }

  /** Sends one request. @throws for any status that has no content to read */
  async #send({ query, json, wait, tag, signal }: Question): Promise<Reply> {
    const { url, authorization, send } = this.#address
    const headers = {
      accept: 'application/json',
      authorization,
      ...(tag !== undefined && { 'if-none-match': tag }),
      ...(json !== undefined && { 'content-type': 'application/json' }),
    }
    const bounds = { deadline: wait + DEADLINE, maxBytes: MAX_BYTES }
    const reply = await exchange({ url: url + query, body: json, headers, signal, ...bounds }, send)
    const { status } = reply
    if (status === 304 && tag !== undefined) return reply
    if (status === 429) throw new Crowded('the status is 429')
    if (status !== 200) throw new Error(`the status is ${status}${HINTS[status] ?? ''}`)
    if (!/^application\/json\b/i.test(reply.headers.get('content-type') ?? ''))
      throw new Error('the response is no JSON: is `url` right, and is no proxy in between?')
    return reply
  }

  /** Refuses what another service says. */
  #checkOwner({ iss, realm }: PageOwner): void {
    const { issuer, realm: own } = this.#context
    if (issuer !== undefined && iss !== issuer) throw new Error('it is of another issuer than `issuer`')
    if (realm !== own) throw new Error('it is of another realm than `realm`')
  }

  /** Says once why, as requests only show that it does not work. */
  #toOutage(error: unknown): unknown {
    const reason = Object(error).message as unknown
    const message = `The feed of revocations (\`revocation.source\`) cannot be followed: ${String(reason)}`
    if (!this.#closing.signal.aborted) this.#warn('TOKENWRIGHT_REVOCATION_FEED', message, message)
    return toOutage(error, message)
  }
}

/** What is asked of the other service. */
interface Question {
  readonly query: string
  readonly json?: string
  readonly wait: number
  readonly tag?: string | undefined
  readonly signal: AbortSignal
}

/** The other service holds as many requests as it can. */
class Crowded extends Error {}

/** What the operator may do about a status. */
const HINTS: Readonly<Record<number, string>> = {
  301: ', a redirect, which is not followed',
  302: ', a redirect, which is not followed',
  307: ', a redirect, which is not followed',
  308: ', a redirect, which is not followed',
  401: ': `verifyClient` there does not know these `credentials`',
  404: ': is `url` right, and has `authRoutes` there `verifyClient` and a session store?',
}

/**
 * How long to wait before the next request, in seconds. Failures double it, and chance spreads the
 * services that lost the same one.
 */
function toPause(sinceAsked: number, failures: number): number {
  if (failures === 0) return Math.max(SHORTEST_PAUSE, POLL_INTERVAL - sinceAsked)
  return Math.min(LONGEST_PAUSE, POLL_INTERVAL * 2 ** (failures - 1)) * (0.75 + Math.random() / 2)
}
