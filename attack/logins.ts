/**
 * The steps and sentences about logins: how long they take for known and unknown users, and how
 * many wrong passwords the application checks in a flood.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Attacker, codeOf, type Exchange } from './attacker.ts'
import { isObject, type JsonObject } from './cases.ts'
import { type Check, unless } from './defaults.ts'
import type { Intent } from './intents.ts'
import { collectGarbage } from './load.ts'
import { headerValues } from './raw-http.ts'
import { countOf, textOf, Unsupported } from './values.ts'

/** How many failures the library allows: of one account at once, of one address in a minute. */
const ACCOUNT_LIMIT = 5
const ADDRESS_LIMIT = 20

/** The longest wait that a refusal may name, in seconds. */
const LONGEST_WAIT = 900

/** The number of tries, as the machine may be busy. */
const TRIES = 4

/** The median of some numbers. */
function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

/** The `sample` step: times two logins in turns, without limits, which would refuse both. */
export async function sample({ n, a, b, path }: JsonObject, attacker: Attacker): Promise<void> {
  const count = countOf(n, 'n', 10_000)
  if (!isObject(a) || !isObject(b)) throw new Unsupported('sample needs the bodies a and b')
  attacker.target.unlimit()
  const send = (body: JsonObject): Promise<Exchange> =>
    attacker.attempt({
      method: 'POST',
      path: textOf(path, 'path'),
      headers: [['Content-Type', 'application/json']],
      body: JSON.stringify(body),
    })
  const ratios: number[] = []
  for (let tries = 0; tries < TRIES && !ratios.some((ratio) => Math.abs(1 - ratio) <= 0.1); tries++) {
    const times: [number[], number[]] = [[], []]
    for (let i = 0; i < count; i++) {
      for (const [index, body] of [a, b].entries())
        times[index as 0 | 1].push((await send(body)).response.elapsed)
    }
    ratios.push(medianOf(times[0]) / medianOf(times[1]))
  }
  const best = ratios.toSorted((x, y) => Math.abs(1 - x) - Math.abs(1 - y))[0] ?? 0
  attacker.findings.set('ratio of medians', best.toFixed(3))
}

/** Each 429 has a valid `Retry-After`, of at most so many seconds. */
const saysWhen =
  (most: number): Check =>
  ({ exchanges }) => {
    const refused = exchanges.filter(({ response }) => response.status === 429)
    const silent = refused.find(({ response }) => {
      const [seconds] = headerValues(response, 'retry-after')
      return !/^[1-9]\d*$/.test(seconds ?? '') || Number(seconds) > most
    })
    return unless(silent === undefined, 'a 429 without a valid Retry-After')
  }

/** Each refusal is an event of the application, with what an operator needs to see of it. */
const reported: Check = ({ exchanges, target }) => {
  const open = [...target.refusals]
  for (const exchange of exchanges) {
    const { request, response } = exchange
    const code = codeOf(exchange)
    if (response.status < 400 || code === null) continue
    const route = request.path.split('?')[0]
    const index = open.findIndex((one) => one.code === code && one.route === route)
    const [event] = index < 0 ? [] : open.splice(index, 1)
    if (event === undefined) return `no event for ${request.method} ${route}: ${response.status} ${code}`
    const isLogin = route?.endsWith('/login') === true
    const known = event.method === request.method && event.network !== null && event.time > 0
    if (!known || (isLogin && code !== 'csrf_mismatch' && event.account === null))
      return `an incomplete event: ${JSON.stringify({ ...event, cause: undefined })}`
  }
  return undefined
}

/** Sentences about password attempts. */
export const LOGIN_ASSERTIONS: Readonly<Record<string, readonly Check[]>> = {
  'identical body': [
    ({ exchanges }) => {
      const bodies = new Set(exchanges.map(({ response }) => `${response.status} ${response.body}`))
      return unless(bodies.size === 1, `${bodies.size} different responses`)
    },
  ],
  '|median_a-median_b| <= 10%': [
    ({ findings }) => {
      const ratio = Number(findings.get('ratio of medians'))
      return unless(Math.abs(1 - ratio) <= 0.1, `one takes ${ratio} times as long as the other`)
    },
  ],
  'password-hash calls <= configured limit (+0)': [
    ({ target, exchanges }) => {
      // All were sent at once, so the slowest response has the whole time. The waits of 1, 2, 4 ...
      // seconds that ended in this time allow one attempt each.
      const seconds = Math.max(...exchanges.map(({ response }) => response.elapsed)) / 1000
      const most = ACCOUNT_LIMIT + Math.floor(Math.log2(seconds + 1))
      const looked = target.mistakes()
      return unless(looked <= most, `${looked} passwords were checked in ${seconds.toFixed(1)} s`)
    },
  ],
  '429 carries Retry-After': [saysWhen(Number.POSITIVE_INFINITY)],
  '429 has Retry-After <= 900': [saysWhen(LONGEST_WAIT)],
  'never permanent lock': [
    saysWhen(LONGEST_WAIT),
    (_attacker, last) =>
      unless(last?.response.status === 200, 'the right password is refused after the wait'),
  ],
  'at most 100 wrong passwords are checked': [
    ({ target }) => unless(target.mistakes() <= 100, `${target.mistakes()} are checked`),
  ],
  'each refusal is an event, with route, network and account': [reported],
  'limiter entries <= cap': [
    ({ target }) =>
      unless(
        target.mistakes() <= ADDRESS_LIMIT,
        `${target.mistakes()} passwords of one address were checked`,
      ),
  ],
  'heap growth <= 50 MB': [
    ({ findings }) =>
      unless(Number(findings.get('heap growth')) <= 50 << 20, `${findings.get('heap growth')} bytes`),
  ],
}

/** Logs in. After a 429, which counts as the case's response, waits and logs in again. */
export async function loginInTime(intent: Intent, attacker: Attacker): Promise<Exchange> {
  const first = await attacker.attempt(intent)
  const [seconds] = headerValues(first.response, 'retry-after')
  if (first.response.status !== 429 || Number(seconds) > LONGEST_WAIT) return first
  await pause(Number(seconds) * 1000)
  return attacker.attempt(intent)
}

/** How many requests stand for a million logins. */
const FLOOD = 5_000

/** The `repeat` of a million logins: 8 at once, and how far they make the heap grow. */
export async function floodLogins(
  n: number,
  attempt: () => Promise<unknown>,
  attacker: Attacker,
): Promise<void> {
  const before = collectGarbage()
  const exchanges = attacker.exchanges.length
  for (let i = 0; i < FLOOD; i += 8) {
    await Promise.all(Array.from({ length: 8 }, attempt))
    // The exchanges that the runner keeps must not count.
    attacker.exchanges.splice(exchanges, attacker.exchanges.length - exchanges - 8)
  }
  attacker.findings.set('heap growth', collectGarbage() - before)
  attacker.notes.push(`${FLOOD} logins of ${n}; a test of the limiter checks the bound on keys`)
}
