/**
 * What stands between the client and its server, and what callers do: redirects, servers that say
 * to wait for a day, aborts in every phase, requests of another realm, bodies too large to keep.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { StepUpRequest } from '../../src/client.ts'
import { openDevice, openSignedIn } from './device.ts'
import { startOrigin } from './origin.ts'

const WAYS = [
  { way: 'cookies', options: {}, client: {} },
  { way: 'refresh by cookie, access in memory', options: { cookies: { carry: ['refresh'] } }, client: {} },
  { way: 'bodies', options: {}, client: { delivery: 'body' } },
] as const

/** Another origin, which writes down the secrets that it is sent. */
async function startForeign() {
  const seen: (string | string[] | undefined)[] = []
  const server = createServer(({ headers }, response) => {
    seen.push(headers.authorization ?? headers['x-csrf-token'])
    response.writeHead(200, { 'Access-Control-Allow-Origin': '*' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

describe.each(WAYS)('between client and server, tokens in $way', ({ options, client: settings }) => {
  async function start() {
    const origin = await startOrigin(options)
    const device = openDevice(origin)
    const asked: StepUpRequest[] = []
    let answer = async (): Promise<unknown> => auth.stepUp('right')
    const auth = await openSignedIn(device, {
      ...settings,
      onStepUp: (request) => {
        asked.push(request)
        return answer()
      },
    })
    const hangDialog = () => {
      answer = () => new Promise(() => undefined)
    }
    await auth.refresh()
    origin.seen.length = 0
    return { origin, device, auth, asked, hangDialog }
  }

  it.each([301, 302, 303, 307, 308])(
    'an order that a %i leads to a refusal is placed once',
    async (status) => {
      const { origin, device, auth, asked } = await start()
      const redirect = (to: string) =>
        new Response(null, { status, headers: { Location: `${origin.url}${to}` } })
      origin.fault = ({ url }) =>
        url.endsWith('/orders')
          ? redirect('/sensitive')
          : url.endsWith('/sales')
            ? redirect('/protected')
            : undefined
      expect((await auth.fetch('/orders', { method: 'POST' })).status).toBe(401)
      expect([origin.count('/orders'), asked.length]).toEqual([1, 0])
      device.drift(-3600)
      await device.pass(150)
      expect((await auth.fetch('/sales', { method: 'POST' })).status).toBe(401)
      expect(origin.count('/sales')).toBe(1)
    },
  )

  it('a page that a redirect leads to is asked for again, without the redirect', async () => {
    const { origin, device, auth } = await start()
    origin.fault = ({ url }) =>
      url.endsWith('/old') ? Response.redirect(`${origin.url}/protected`, 302) : undefined
    device.drift(-3600)
    await device.pass(150)
    expect((await auth.fetch('/old')).status).toBe(200)
    expect(origin.seen).toEqual(['GET /old', 'GET /protected', 'POST /auth/refresh', 'GET /protected'])
  })

  it('no secret follows a redirect to another origin, and redirects within it are followed', async () => {
    const [{ origin, auth }, foreign] = [await start(), await startForeign()]
    origin.fault = ({ url }) =>
      url.endsWith('/away')
        ? Response.redirect(`${foreign.url}/`, 307)
        : url.endsWith('/near')
          ? Response.redirect(`${origin.url}/protected`, 303)
          : undefined
    await auth.fetch('/away', { method: 'POST' }).catch(() => undefined)
    await auth.fetch('/away', { method: 'POST', mode: 'cors' }).catch(() => undefined)
    await auth.fetch('/away')
    expect(foreign.seen.filter(Boolean)).toEqual([])
    expect((await auth.fetch('/near', { method: 'POST' })).status).toBe(200)
  })

  it('a Request of a megabyte is sent again, a longer one is neither kept nor sent again', async () => {
    const { origin, device, auth } = await start()
    device.drift(-3600)
    await device.pass(150)
    const size = 16 * 1024 * 1024
    let left = size
    let peak = 0
    const before = process.memoryUsage().arrayBuffers
    const body = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setImmediate(resolve))
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
        left -= 65_536
        controller.enqueue(new Uint8Array(65_536))
        if (left === 0) controller.close()
      },
    })
    const long = new Request(`${origin.url}/nowhere`, { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect((await auth.fetch(long)).status).toBe(404)
    expect(peak).toBeLessThan(size / 2)
    const init = { method: 'POST', body: 'x'.repeat(1_500_000) }
    expect((await auth.fetch(new Request(`${origin.url}/protected`, init))).status).toBe(401)
    expect(origin.count('/protected')).toBe(1)
    device.drift(-3600)
    await device.pass(150)
    const short = new Request(`${origin.url}/protected`, { method: 'POST', body: 'x'.repeat(900_000) })
    expect((await auth.fetch(short)).status).toBe(200)
    expect(origin.count('/protected')).toBe(3)
  })

  it('a Request of another realm is sent as it is', async () => {
    const { origin, device, auth } = await start()
    device.drift(-3600)
    await device.pass(150)
    const inner = new Request(`${origin.url}/protected`, { method: 'PUT', body: 'hello' })
    const { url, method, headers } = inner
    const foreign = { url, method, headers, body: inner.body, duplex: 'half', clone: () => foreign }
    const response = await auth.fetch(foreign as unknown as Request)
    expect(await response.json()).toMatchObject({ body: 'hello' })
    expect(origin.seen).toEqual(['PUT /protected', 'POST /auth/refresh', 'PUT /protected'])
  })

  it('an abort takes effect while a refresh hangs, and the refresh goes on for the others', async () => {
    const { origin, device, auth } = await start()
    await device.pass(150)
    let release = (): void => undefined
    const held = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined)
    })
    origin.fault = ({ url }) => (url.endsWith('/auth/refresh') ? held : undefined)
    const controller = new AbortController()
    const mine = expect(auth.fetch('/protected', { signal: controller.signal })).rejects.toThrow('no need')
    const request = new Request(`${origin.url}/protected`, { signal: controller.signal })
    const same = expect(auth.fetch(request)).rejects.toThrow('no need')
    const other = auth.fetch('/protected')
    await expect.poll(() => origin.count('/auth/refresh')).toBe(1)
    controller.abort(new Error('no need'))
    await Promise.all([mine, same])
    await expect(auth.fetch('/protected', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    })
    expect(origin.count('/protected')).toBe(0)
    release()
    expect((await other).status).toBe(200)
    expect(origin.count('/auth/refresh')).toBe(1)
  })

  it('a dialog stays open while one call wants it, and closes with the last', async () => {
    const { auth, asked, hangDialog, origin } = await start()
    hangDialog()
    const [one, two] = [new AbortController(), new AbortController()]
    const calls = [one, two].map(({ signal }) => auth.fetch('/sensitive', { method: 'POST', signal }))
    const ends = Promise.all(calls.map((call) => expect(call).rejects.toMatchObject({ name: 'AbortError' })))
    await expect.poll(() => [asked.length, origin.count('/sensitive')]).toEqual([1, 2])
    await new Promise((resolve) => setTimeout(resolve, 20))
    one.abort()
    await new Promise((resolve) => setImmediate(resolve))
    expect(asked[0]!.signal.aborted).toBe(false)
    two.abort()
    await ends
    await expect.poll(() => asked[0]!.signal.aborted).toBe(true)
    // The next call is asked anew.
    const next = auth.fetch('/sensitive')
    await expect.poll(() => asked.length).toBe(2)
    await Promise.all([auth.logout(), expect(next).rejects.toMatchObject({ code: 'signed_out' })])
  })

  it.each([
    ['a day', () => '86400'],
    ['a date', () => new Date(Date.now() + 30_000).toUTCString()],
  ])('is told to wait for %s: a minute at most, and a refresh by hand asks at once', async (_, value) => {
    const { origin, device, auth } = await start()
    await device.pass(150)
    origin.fault = () => new Response(null, { status: 503, headers: { 'Retry-After': value() } })
    const refusal = { code: 'http_503', retryAfter: expect.closeTo(value() === '86400' ? 86_400 : 30, -1) }
    await expect(auth.fetch('/protected')).rejects.toMatchObject(refusal)
    await device.pass(20)
    await expect(auth.fetch('/protected')).rejects.toMatchObject({ code: 'http_503' })
    expect(origin.seen).toEqual(['POST /auth/refresh'])
    await expect(auth.refresh()).rejects.toMatchObject({ code: 'http_503' })
    expect(origin.seen).toHaveLength(2)
    origin.fault = () => undefined
    await device.pass(61)
    expect((await auth.fetch('/protected')).status).toBe(200)
  })
})
