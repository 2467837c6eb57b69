/**
 * Lets a socket of ioredis send the commands of one turn of the event loop in one piece. ioredis
 * writes each by itself, and a call of the system for each takes a busy process longer than all
 * else of a refresh. node-redis does so by itself.
 */
import type { IoredisConnection } from './replace.ts'

/** Kept, as tests replace it by one that does not run. Workers may have none. */
const afterTurn: typeof setImmediate | undefined = globalThis.setImmediate

/** The sockets that hold back what is written. */
const held = new WeakSet<object>()

/** Holds back what is written to a connection until the end of this turn of the event loop. */
export function writeTogether({ status, stream }: IoredisConnection): void {
  // While it connects, ioredis sends greetings that must not wait.
  if (status !== 'ready' || stream?.cork === undefined || afterTurn === undefined) return
  if (held.has(stream)) return
  held.add(stream)
  stream.cork()
  afterTurn(() => {
    held.delete(stream)
    stream.uncork?.()
  })
}
