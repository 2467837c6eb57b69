/**
 * Orders over a hostile network, by a fixed seed: portals, proxies, redirects, refusals, waits, cuts
 * and late answers, on the orders and on the auth routes. The model knows what the server has
 * carried out: no order twice, and none that the caller was told of wrongly.
 */
import { expect, it } from 'vitest'
import { openDevice, openSignedIn } from './device.ts'
import { type Fault, startOrigin } from './origin.ts'

const CASES = 240
const WAYS = [
  { way: 'cookies', options: {}, client: {} },
  { way: 'refresh by cookie, access in memory', options: { cookies: { carry: ['refresh'] } }, client: {} },
  { way: 'bodies', options: {}, client: { delivery: 'body' } },
] as const

/** Mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

const html = (status: number, headers: Record<string, string> = {}) =>
  new Response('<h1>Hotel</h1>', { status, headers: { 'Content-Type': 'text/html', ...headers } })
const refusal = (code: string, status = 401) => Response.json({ code }, { status })

it.each(WAYS)(
  'no order is carried out twice, tokens in $way',
  { timeout: 120_000 },
  async ({ options, client }) => {
    const origin = await startOrigin(options)
    const device = openDevice(origin)
    const random = createRandom(20_261_129)
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T
    const auth = await openSignedIn(device, {
      ...client,
      onStepUp: () => auth.stepUp('right').catch(() => false),
    })

    /** What stands in the way of an order: before the server has seen it, or when it was carried out. */
    const carryOut = (id: string, then: () => Fault): Fault => {
      origin.orders.push(id)
      return then()
    }
    const redirect = (status: number, to: string) =>
      new Response(null, { status, headers: { Location: `${origin.url}${to}` } })
    const late = async (fault: Fault): Promise<Fault> => {
      const due = origin.now + 15 * random()
      while (origin.now < due) await new Promise((resolve) => setTimeout(resolve, 1))
      return fault
    }
    const ORDER_FAULTS: readonly ((id: string) => Fault | Promise<Fault>)[] = [
      () => undefined,
      () => html(200),
      () => html(pick([502, 503, 504])),
      () => html(429, { 'Retry-After': '3' }),
      () => html(401, { 'WWW-Authenticate': 'Basic realm="proxy"' }),
      () => html(403),
      () => refusal(pick(['token_expired', 'fresh_token_required', 'signature_invalid', 'token_revoked'])),
      () => refusal('csrf_mismatch', 403),
      () => 'down',
      () => 'lost',
      () => late(undefined),
      () => late('lost'),
      (id) => carryOut(id, () => html(pick([500, 502, 504]))),
      (id) =>
        carryOut(id, () => redirect(303, pick(['/protected', '/sensitive', '/foreign-401', '/nowhere']))),
      (id) => carryOut(id, () => redirect(pick([301, 302]), pick(['/protected', '/sensitive']))),
      (id) => redirect(pick([307, 308]), `/fresh-orders?id=${id}`),
      (id) => redirect(pick([307, 308]), `/orders?id=${id}`),
      (id) => carryOut(id, () => redirect(307, '/sensitive')),
    ]
    const AUTH_FAULTS: readonly (() => Fault | Promise<Fault>)[] = [
      () => undefined,
      () => undefined,
      () => html(200),
      () => html(pick([401, 403, 502, 503])),
      () => html(429, { 'Retry-After': pick(['2', '86400']) }),
      () => refusal('UNAUTHENTICATED'),
      () => 'down',
      () => 'lost',
      () => late(undefined),
      () => redirect(302, '/nowhere'),
    ]

    let told = 0
    for (let number = 0; number < CASES; number++) {
      const id = `order-${number}`
      // At most four hostile answers, so that each case ends.
      let left = Math.floor(5 * random())
      origin.fault = ({ url, method }) => {
        const { pathname, searchParams } = new URL(url)
        if (left-- <= 0) return undefined
        if (pathname.endsWith('orders') && method === 'POST')
          return pick(ORDER_FAULTS)(searchParams.get('id') ?? '')
        return pathname.startsWith('/auth/') ? pick(AUTH_FAULTS)() : undefined
      }
      if (random() < 0.4) await device.pass(150)
      else if (random() < 0.3) {
        device.drift(-3600)
        await device.pass(150)
        device.drift(3450)
      }
      const path = `${pick(['/orders', '/fresh-orders'])}?id=${id}`
      const init = { method: 'POST', body: pick(['x', 'x'.repeat(5000)]) }
      const call = auth.fetch(random() < 0.5 ? path : new Request(origin.url + path, init), init)
      let result: Response | unknown
      call.then(
        (response) => {
          result = response
        },
        (error: unknown) => {
          result = error
        },
      )
      while (result === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 1))
        await device.pass(0.5)
      }
      const done = origin.orders.filter((order) => order === id).length
      expect([id, done > 1]).toEqual([id, false])
      if (result instanceof Response && result.ok && !result.redirected) {
        const body = await result.text()
        if (body.includes(id)) expect([id, done, ++told > 0]).toEqual([id, 1, true])
      }
      // The next case begins signed in, and when nothing has to wait.
      origin.fault = () => undefined
      await device.pass(61)
      await auth.refresh().catch(() => auth.login({ username: 'ada', password: 'right' }))
      expect(auth.state.status).toBe('signed-in')
    }
    expect(told).toBeGreaterThan(CASES / 10)
    expect(device.signedOut).toEqual([])
  },
)
