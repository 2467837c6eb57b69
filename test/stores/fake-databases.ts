/**
 * Servers that speak as much of the protocols of PostgreSQL and MySQL as a query takes, and break a
 * connection at one chosen moment: a fatal error in the same packet as what was due, and the end of
 * the connection, or only its end. A real server does so too, but nobody can ask it to.
 */
import { createServer, type Socket } from 'node:net'

/** When a connection breaks. */
export const MOMENTS = [
  'in place of the greeting',
  'greeting',
  'in place of a result',
  'result',
  'idle',
] as const
export type Moment = (typeof MOMENTS)[number]

/** How it breaks: what the server says last, and how the connection ends. */
export const BREAKS = ['a fatal error', 'two fatal errors', 'an end', 'a reset'] as const
export type Break = (typeof BREAKS)[number]

/** A server whose next connections break, until it is told to stop that. */
export interface FakeDatabase {
  readonly port: number
  /** How many connections there were. */
  connections(): number
  /** Breaks connections from now on; null for none. */
  breakAt(moment: Moment | null, how?: Break): void
  close(): void
}

/** What one dialect says. */
interface Dialect {
  /** What the server says first, before the client has said anything. */
  readonly hello: Buffer
  readonly greeting: Buffer
  /** The result of any query. */
  readonly result: Buffer
  /** A fatal error, as the packet of this number in its exchange. */
  fatal(sequence: number): Buffer
  /** Takes the complete messages from what has come: how many bytes, and what they ask for. */
  take(bytes: Buffer, greeted: boolean): { readonly length: number; readonly asks: boolean } | null
}

/** Starts a server of one dialect. */
export async function startFakeDatabase(dialect: 'postgres' | 'mysql'): Promise<FakeDatabase> {
  const { hello, greeting, result, fatal, take } = DIALECTS[dialect]
  let moment: Moment | null = null
  let how: Break = 'a fatal error'
  let count = 0
  const sockets = new Set<Socket>()

  /** Says what is due and breaks the connection, in one packet where the moment has come. */
  function say(socket: Socket, due: Moment, bytes: Buffer): void {
    const isAfter = moment === due
    if (!isAfter && moment !== `in place of a ${due}` && moment !== `in place of the ${due}`) {
      socket.write(bytes)
      return
    }
    const first = isAfter ? 0 : due === 'greeting' ? 2 : 1
    const errors = how === 'a fatal error' ? 1 : how === 'two fatal errors' ? 2 : 0
    const last = Array.from({ length: errors }, (_, index) => fatal(first + index))
    socket.end(Buffer.concat([...(isAfter ? [bytes] : []), ...last]), () => {
      if (how === 'a reset') socket.resetAndDestroy()
    })
  }

  const server = createServer((socket) => {
    count += 1
    sockets.add(socket)
    let received: Buffer = Buffer.alloc(0)
    let isGreeted = false
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    socket.setNoDelay(true)
    if (hello.length > 0) socket.write(hello)
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      for (let next = take(received, isGreeted); next !== null; next = take(received, isGreeted)) {
        received = received.subarray(next.length)
        if (!isGreeted) say(socket, 'greeting', greeting)
        else if (next.asks) say(socket, 'result', result)
        isGreeted = true
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    connections: () => count,
    breakAt(next, by = 'a fatal error') {
      moment = next
      how = by
      if (moment !== 'idle') return
      for (const socket of sockets) say(socket, 'idle', Buffer.alloc(0))
    },
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function postgresMessage(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

function mysqlMessage(sequence: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(4)
  head.writeUIntLE(body.length, 0, 3)
  head[3] = sequence
  return Buffer.concat([head, body])
}

const bytes = (...values: readonly number[]): Buffer => Buffer.from(values)
const text = (value: string): Buffer => Buffer.from(`${value}\0`)
const counted = (value: string): Buffer => Buffer.concat([bytes(value.length), Buffer.from(value)])

const NOW = String(Date.now())

const POSTGRES: Dialect = {
  hello: Buffer.alloc(0),
  greeting: Buffer.concat([postgresMessage('R', bytes(0, 0, 0, 0)), postgresMessage('Z', Buffer.from('I'))]),
  result: Buffer.concat([
    postgresMessage('1'),
    postgresMessage('2'),
    // One column of the type `text`, and one row.
    postgresMessage(
      'T',
      bytes(0, 1),
      text('now'),
      bytes(0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0),
    ),
    postgresMessage('D', bytes(0, 1, 0, 0, 0, NOW.length), Buffer.from(NOW)),
    postgresMessage('C', text('SELECT 1')),
    postgresMessage('Z', Buffer.from('I')),
  ]),
  fatal: () =>
    postgresMessage(
      'E',
      ...['SFATAL', 'VFATAL', 'C57P01', 'Mterminating connection due to administrator command', ''].map(text),
    ),
  take(received, greeted) {
    const at = greeted ? 1 : 0
    if (received.length < at + 4) return null
    const length = received.readInt32BE(at) + at
    // A query ends in Sync.
    return received.length < length ? null : { length, asks: greeted && received[0] === 'S'.charCodeAt(0) }
  },
}

const MYSQL: Dialect = {
  hello: mysqlMessage(
    0,
    bytes(10),
    text('8.0.0-fake'),
    bytes(1, 0, 0, 0),
    Buffer.from('12345678'),
    // Capabilities: protocol 4.1, secure connection, plugin names; latin1; autocommit.
    bytes(0, 0x00, 0x82, 8, 2, 0, 0x08, 0x00, 21),
    Buffer.alloc(10),
    text('123456789012'),
    text('mysql_native_password'),
  ),
  greeting: mysqlMessage(2, bytes(0, 0, 0, 2, 0, 0, 0)),
  result: Buffer.concat([
    mysqlMessage(1, bytes(1)),
    mysqlMessage(
      2,
      ...['def', '', '', '', 'now', ''].map(counted),
      bytes(12, 33, 0, 255, 0, 0, 0, 253, 0, 0, 0, 0, 0),
    ),
    mysqlMessage(3, bytes(254, 0, 0, 2, 0)),
    mysqlMessage(4, counted(NOW)),
    mysqlMessage(5, bytes(254, 0, 0, 2, 0)),
  ]),
  fatal: (sequence) =>
    mysqlMessage(sequence, bytes(255, 0x1d, 0x04), Buffer.from('#08S01Server shutdown in progress')),
  take(received) {
    if (received.length < 4) return null
    const length = received.readUIntLE(0, 3) + 4
    return received.length < length ? null : { length, asks: true }
  },
}

const DIALECTS = { postgres: POSTGRES, mysql: MYSQL } as const
