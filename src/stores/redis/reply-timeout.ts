/**
 * Connections that lead nowhere: a firewall that forgot them, a host that is gone. TCP notices
 * after a quarter of an hour, ioredis only with `socketTimeout`, and node-redis never while
 * commands are written. Here a connection is replaced that gives no reply for a while although some
 * are due.
 */

/** Watches one connection, or what the client takes for one. */
export class ReplyTimeout {
  readonly #seconds: number
  readonly #replace: () => unknown
  #due = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /**
   * @param seconds how long no reply may come while some are due
   * @param replace closes the connection and makes a new one; what it rejects with is dropped, as
   *   the client tells of failures to connect by itself
   */
  constructor(seconds: number, replace: () => unknown) {
    this.#seconds = seconds
    this.#replace = replace
  }

  /**
   * Sends a command. The client rejects those whose connection is replaced, or sends them again.
   */
  async watch(send: () => unknown): Promise<unknown> {
    this.#due += 1
    if (this.#due === 1) this.#start()
    try {
      return await send()
    } finally {
      this.#due -= 1
      clearTimeout(this.#timer)
      if (this.#due > 0) this.#start()
    }
  }

  #start(): void {
    this.#timer = setTimeout(() => {
      // What is sent again must be watched again.
      this.#start()
      Promise.resolve()
        .then(this.#replace)
        .catch(() => undefined)
    }, this.#seconds * 1000)
    this.#timer.unref?.()
  }
}

/** One ioredis connection. */
export interface IoredisConnection {
  /** `'ready'` while commands are sent. */
  readonly status?: unknown
  /** The socket. */
  readonly stream?: { destroy(error: Error): unknown }
}

/** One node-redis connection. */
export interface NodeRedisConnection {
  /** Whether commands are sent. */
  readonly isReady?: unknown
  /** Closes the connection at once. */
  destroy?(): unknown
  /** Opens a new one. */
  connect?(): Promise<unknown>
}

/** Replaces a connection by the client's own means. Not while the client makes one anyway. */
export function replaceConnection(connection: IoredisConnection & NodeRedisConnection): unknown {
  if (connection.status === 'ready')
    return connection.stream?.destroy(new Error('Redis gave no reply in time: the connection is replaced'))
  if (connection.isReady !== true || connection.destroy === undefined) return undefined
  connection.destroy()
  return connection.connect?.()
}

/** How long a node of a cluster has for a sign of life, in seconds. */
const PROBE = 1

/**
 * Replaces the connections of a cluster that lead nowhere: those whose node gives no reply to PING.
 */
export async function replaceDead(
  connections: readonly (IoredisConnection & NodeRedisConnection & { ping(): Promise<unknown> })[],
): Promise<void> {
  const probe = async (connection: (typeof connections)[number]): Promise<void> => {
    const alive = connection.ping().then(
      () => true,
      () => true,
    )
    const late = new Promise<false>((resolve) => setTimeout(resolve, PROBE * 1000, false))
    if (!(await Promise.race([alive, late]))) await replaceConnection(connection)
  }
  await Promise.all(connections.map(probe))
}
