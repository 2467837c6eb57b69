/**
 * Lets a socket of ioredis send the commands of one turn of the event loop in one piece. ioredis
 * writes each by itself, and a call of the system for each takes a busy process longer than all
 * else of a refresh. node-redis does so by itself.
 */
import type { IoredisConnection } from './replace.ts'

/** Kept, as tests replace it by one that does not run. Workers may have none. */
const afterTurn: typeof setImmediate | undefined = globalThis.setImmediate

/**
 * How many commands one piece has at most. Of all at once Redis would begin with none before the
 * last is made, and the process would then wait for all of them.
 */
const MOST_TOGETHER = 4

/** How many commands were written to each socket in this turn. */
const held = new WeakMap<object, number>()

/**
 * Holds back what is written to a connection until the end of this turn of the event loop, or
 * until there is enough of it. Called before each command.
 */
export function writeTogether({ status, stream }: IoredisConnection): void {
  // While it connects, ioredis sends greetings that must not wait.
  if (status !== 'ready' || stream?.cork === undefined || afterTurn === undefined) return
  const commands = held.get(stream) ?? 0
  if (commands === 0) {
    stream.cork()
    afterTurn(() => {
      held.delete(stream)
      stream.uncork?.()
    })
  } else if (commands % MOST_TOGETHER === 0) {
    stream.uncork?.()
    stream.cork()
  }
  held.set(stream, commands + 1)
}
