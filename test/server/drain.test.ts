import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { prepareDrain } from '../../server/drain.ts'

async function listen(listener: RequestListener) {
  const server = createServer(listener)
  const drain = prepareDrain(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => server.closeAllConnections())
  const { port } = server.address() as AddressInfo
  return { drain, server, open: () => open(port) }
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function timed<T>(work: Promise<T>): Promise<[T, number]> {
  const start = performance.now()
  return [await work, performance.now() - start]
}

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

describe('prepareDrain', () => {
  it('ends at once when no request runs', async () => {
    const { drain } = await listen((_, response) => response.end('ok'))
    const [outcome, took] = await timed(drain.finish(5000))
    expect(outcome).toBe('finished')
    expect(took).toBeLessThan(500)
  })

  it('serves on after it has sent clients away, and closes each connection then', async () => {
    const { drain, open } = await listen((_, response) => response.end('ok'))
    const socket = await open()
    socket.write(GET)
    expect(String((await once(socket, 'data'))[0])).not.toMatch(/connection: close/i)
    drain.sendAway()
    socket.write(GET)
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close/i)
    await once(socket, 'close')
    const other = await open()
    other.write(GET)
    expect(String((await once(other, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close/i)
    expect(await drain.finish(5000)).toBe('finished')
  })

  it('lets a running request finish and takes no new connection', async () => {
    let running: ServerResponse | undefined
    const { drain, server, open } = await listen((_, response) => {
      running = response
    })
    const socket = await open()
    socket.write(GET)
    await once(server, 'request')
    const { port } = server.address() as AddressInfo
    const drained = drain.finish(5000)
    const refused = connect(port, '127.0.0.1')
    expect(await once(refused, 'error').then(([error]) => error)).toMatchObject({ code: 'ECONNREFUSED' })
    running?.end('done')
    const [response] = await once(socket, 'data')
    expect(String(response)).toContain('done')
    const [outcome, took] = await timed(drained)
    expect(outcome).toBe('finished')
    expect(took).toBeLessThan(500)
  })

  it('does not wait for idle connections, nor for those without any byte', async () => {
    const { drain, open } = await listen((_, response) => response.end('ok'))
    const kept = await open()
    kept.write(GET)
    await once(kept, 'data')
    await open()
    await open()
    const [outcome, took] = await timed(drain.finish(5000))
    expect(outcome).toBe('finished')
    expect(took).toBeLessThan(500)
  })

  it('cuts off at the deadline a request that does not finish', async () => {
    const { drain, server, open } = await listen(() => {})
    const socket = await open()
    socket.write(GET)
    await once(server, 'request')
    const [outcome, took] = await timed(drain.finish(300))
    expect(outcome).toBe('cut off')
    expect(took).toBeGreaterThan(280)
    expect(took).toBeLessThan(1000)
  })
})
