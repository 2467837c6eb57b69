/** What a test and the processes that it starts say to each other. */

import type { MaxOptions } from '../../../src/session/session-limit.ts'
import type { SessionRow } from '../../../src/session/session-row.ts'
import type { LogEntry } from '../../../src/session/store.ts'
import type { StoreSpec } from './connect.ts'

/** What a process starts with. */
export interface NodeSpec {
  readonly store: StoreSpec
  /** The overlap, in seconds. Default 30. */
  readonly overlap?: number
  /** Seconds by which the system's clock is wrong here. Default 0. */
  readonly skew?: number
  /** How many sessions a subject may have. Default: as many as it starts. */
  readonly max?: MaxOptions
  /** A key file, and how old its keys may be, in seconds. Default: a secret. */
  readonly keys?: { readonly path: string; readonly every: number }
  /** How long the feed may be lost, in seconds. Default 60. */
  readonly maxStale?: number
  /** Tokens that are judged over and over from the first moment on; see `hammered`. */
  readonly hammer?: readonly string[]
}

/** What became of a request: `ok`, or the code of the refusal; with the tokens that it gave. */
export interface Outcome {
  readonly code: string
  readonly refresh?: string
  readonly access?: string
}

/** How to ask: through the API, or over HTTP. */
export type Way = 'api' | 'http'

/** How a token is judged on a route. */
export type Judging = 'feed' | 'strict' | 'fresh' | 'off'

/** What a process has seen. */
export interface Seen {
  /** How often each event came. */
  readonly events: Readonly<Record<string, number>>
  /** Rejections and exceptions that nobody caught. */
  readonly uncaught: readonly string[]
}

/** What a process can be asked. Every answer is a promise on the other side. */
export interface Commands {
  /** Starts a session; `provedAgo` seconds have passed since the password was checked, by this node's clock. */
  login(sub: string, provedAgo?: number): Outcome
  /** So many logins of one subject at once. */
  loginMany(sub: string, count: number, way: Way): readonly Outcome[]
  refresh(token: string, way?: Way): Outcome
  /** So many refreshes of one token at once. */
  race(token: string, count: number, way: Way): readonly Outcome[]
  stepUp(access: string, isWrong?: boolean): Outcome
  judge(token: string, judging: Judging): string
  end(sid: string): string
  revoke(access: string): string
  revokeSubject(sub: string): string
  /** Waits until a token is refused: then the machine's monotonic clock, in seconds. */
  watch(token: string): number
  /** How many verdicts there were on the tokens of `hammer`, and how many let one pass. */
  hammered(): { readonly judged: number; readonly passed: number }
  /** Ends a session and says when that was acknowledged, by the machine's monotonic clock. */
  endTimed(sid: string): number
  row(sid: string): SessionRow | null
  list(sub: string): readonly SessionRow[]
  log(): readonly LogEntry[]
  ready(): string
  /** Dies by SIGKILL at a statement from now on, or at a call of the store: before it is sent, or after it was answered. */
  crashAt(what: 'statement' | 'call', index: number, when: 'before' | 'after'): void
  seen(): Seen
  /** The longest that this process was held up since it was asked last, in seconds. */
  heldUp(): number
  /** Collects garbage and says what is left. */
  memory(): Memory
}

/** What a process keeps, right after its garbage was collected; in MiB. */
export interface Memory {
  /** Objects and buffers. */
  readonly kept: number
  /** Pages of the process that are in memory. */
  readonly resident: number
}

/** A question. */
export interface Question {
  readonly id: number
  readonly command: keyof Commands
  readonly args: readonly unknown[]
}

/** The answer to it. */
export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}
