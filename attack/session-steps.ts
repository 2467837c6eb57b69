/**
 * The steps about sessions and time: refreshes in sequence and in parallel, lost responses, a clock
 * that moves, and rights that are taken away.
 */
import { type Attacker, codeOf, type Exchange, type Login } from './attacker.ts'
import { isList, isObject, type Json, type JsonObject, toExpectation } from './cases.ts'
import { measureStaleness } from './feeds.ts'
import { type Intent, toBearerIntent, toRefreshIntent } from './intents.ts'
import { floodLogins } from './logins.ts'
import { expectInPhase, refreshInPhase, toShort } from './outages.ts'
import { startProxy } from './proxy.ts'
import { TIMES } from './target.ts'
import { countOf, textOf, Unsupported } from './values.ts'

/** Performs a step that is inside another one. */
export type Perform = (step: Json, attacker: Attacker) => Promise<void>

/** The name of the last login or refresh. */
export const LATEST = 'latest'

/** Sentences that change what a step does. */
export const SAME_SUCCESSOR = 'a retry inside the grace gives 200 and the same successor'
const GENUINE_WORKS = 'the genuine token still works'

/** Reads expressions such as `2*grace+1`, `access_ttl+1` and `-3600`, in seconds. */
function toSeconds(value: Json | undefined): number {
  if (typeof value === 'number') return value
  const expression = textOf(value, 'advance')
  const terms = expression.replace(/\s/g, '').match(/[+-]?[^+-]+/g) ?? []
  return terms.reduce((sum, term) => {
    const factors = term.replace(/^[+-]/, '').split(/(?=[*/])/)
    const amount = factors.reduce((product, factor) => {
      const name = factor.replace(/^[*/]/, '')
      const number = TIMES[name] ?? Number(name)
      if (!Number.isFinite(number)) throw new Unsupported(`unknown time '${expression}'`)
      return factor.startsWith('/') ? product / number : product * number
    }, 1)
    return term.startsWith('-') ? sum - amount : sum + amount
  }, 0)
}

/** Records the expectation of a step, if it has its own. */
export function expectOwn(
  { expect }: JsonObject,
  what: string,
  exchange: Exchange,
  attacker: Attacker,
): void {
  if (expect !== undefined) attacker.expected.push({ what, exchange, expectation: toExpectation(expect) })
}

async function findLogin(from: string, attacker: Attacker): Promise<Login> {
  const login = await attacker.savedLogin(from)
  if (login === undefined) throw new Unsupported(`unknown login '${from}'`)
  return login
}

/** The `refresh` step. */
export async function refresh(body: JsonObject, attacker: Attacker): Promise<void> {
  const from = textOf(body['from'], 'from')
  const login = await findLogin(from, attacker)
  if (body['drop_response'] === true) return loseResponses(login, attacker)
  const isWhole = attacker.phase === 'whole'
  const exchange = isWhole
    ? await attacker.request(toRefreshIntent(login.refresh))
    : await refreshInPhase(login, attacker)
  if (!isWhole && body['expect'] === undefined) expectInPhase([exchange], attacker)
  // In a case about forgeries, the refresh shows that the genuine token still works.
  const isProbe = attacker.attack.expect.assert.includes(GENUINE_WORKS)
  if (isProbe) attacker.findings.set('probe', exchange.response.status)
  else attacker.exchanges.push(exchange)
  expectOwn(body, `refresh from ${from}`, exchange, attacker)
  if (exchange.response.status !== 200) return
  const next = attacker.toLogin(login.user, exchange)
  attacker.saved.set(LATEST, next)
  const save = body['save']
  if (typeof save === 'string') attacker.saved.set(save, next)
}

/** A refresh whose response is lost. Returns the refresh token in it. */
async function loseResponse(login: Login, attacker: Attacker): Promise<string> {
  const proxy = await startProxy(attacker.target.port)
  try {
    proxy.arm({ direction: 'down', after: 0 })
    const exchange = await attacker.tryRequest(toRefreshIntent(login.refresh), proxy.port)
    if (exchange.response.status !== 0) throw new Error(`the response is not lost: ${toShort(exchange)}`)
    return /"refresh_token":"([^"]+)"/.exec(proxy.swallowed)?.[1] ?? ''
  } finally {
    await proxy.close()
  }
}

/**
 * Loses the response to a refresh of this login, and of another one, which retries at once, in the
 * middle and at the end of the overlap.
 */
async function loseResponses(login: Login, attacker: Attacker): Promise<void> {
  await loseResponse(login, attacker)
  const other = await attacker.login(login.user)
  const lost = await loseResponse(other, attacker)
  const grace = TIMES['grace'] ?? 0
  for (const wait of [0, grace / 2, grace / 2]) {
    attacker.target.clock.advance(wait)
    const exchange = await attacker.request(toRefreshIntent(other.refresh))
    const given = exchange.response.status === 200 ? attacker.toLogin(other.user, exchange).refresh : ''
    attacker.record(SAME_SUCCESSOR, lost !== '' && given === lost, `${toShort(exchange)}, another successor`)
  }
  attacker.target.clock.advance(-grace)
}

/** The `clock` step. */
export async function clock(body: JsonObject, attacker: Attacker): Promise<void> {
  attacker.target.clock.advance(toSeconds(body['advance']))
  attacker.genuine.length = 0
}

/** `demote alice`: takes her rights away, after a check that they worked. */
export async function administrate(order: string, attacker: Attacker): Promise<void> {
  const user = /^demote (\w+)$/.exec(order)?.[1]
  const login = await attacker.savedLogin('A')
  if (user === undefined || login?.user !== user) throw new Unsupported(`unknown order, admin: ${order}`)
  const before = await attacker.request(toBearerIntent(login.access, '/protected?need=admin'))
  if (before.response.status !== 200) attacker.findings.set('control', `before: ${toShort(before)}`)
  attacker.environment.grants.delete(user)
}

/** A step made of sentences: revoke in one process, and poll the others. */
const REVOKE_AND_POLL = JSON.stringify(['login', 'revoke on p1', 'poll p2..p4 until 401'])

/** The pauses between repetitions, in seconds. */
function toPauses({ n, until, every }: JsonObject): number[] {
  const pause = every === undefined ? 0 : toSeconds(every)
  if (until === undefined) return Array.from({ length: countOf(n, 'n', MOST) }, () => pause)
  const total = toSeconds(until)
  const count = countOf(Math.floor(total / pause), 'until', MOST)
  // The last pause ends exactly at `until`.
  return [...Array.from({ length: count }, () => pause), total - count * pause].filter((length) => length > 0)
}

/** The most repetitions of a step, and the most requests in parallel. */
const MOST = 10_000

/** The `repeat` step. */
export async function repeat(body: JsonObject, attacker: Attacker, perform: Perform): Promise<void> {
  const { n, until, every, step, steps } = body
  if (typeof n === 'number' && JSON.stringify(step) === REVOKE_AND_POLL) return measureStaleness(n, attacker)
  if (isList(steps)) {
    for (const _pause of toPauses({ n: countOf(n, 'n', MOST) }))
      for (const one of steps) await perform(one, attacker)
    return
  }
  if (!isObject(step)) throw new Unsupported('repeat needs a step')
  if (typeof n === 'number' && n > MOST && until === undefined && every === undefined)
    return floodLogins(n, () => perform(step, attacker), attacker)
  const pauses = toPauses(body)
  const first = attacker.exchanges.length
  for (const length of pauses) {
    if (every !== undefined) {
      attacker.target.clock.advance(length)
      attacker.genuine.length = 0
    }
    await perform(step, attacker)
  }
  const exchanges = attacker.exchanges.slice(first)
  attacker.findings.set(
    'repeated',
    exchanges.map(({ response }) => response.status),
  )
  if (step['refresh'] !== undefined) checkRepeated(exchanges, pauses, attacker)
}

/**
 * Checks repeated refreshes. The case is about the first refusal, and all later refreshes must be
 * refused too. The first refusal must come at the right time: when the overlap ends for a replaced
 * token, or at the absolute end of a session.
 */
function checkRepeated(exchanges: readonly Exchange[], pauses: readonly number[], attacker: Attacker): void {
  const refused = exchanges.findIndex(({ response }) => response.status !== 200)
  const exchange = exchanges[refused]
  if (exchange === undefined) return
  attacker.decisive.push(exchange)
  const after = exchanges.slice(refused).find(({ response }) => response.status !== 401)
  if (after !== undefined) attacker.findings.set('control', `after a refusal: ${toShort(after)}`)
  const elapsed = pauses.slice(0, refused + 1).reduce((sum, length) => sum + length, 0)
  const ends = codeOf(exchange) === 'refresh_reused' ? TIMES['grace'] : TIMES['abs_ttl']
  const before = elapsed - (pauses[refused] ?? 0)
  const inTime = before <= (ends ?? 0) && elapsed >= (ends ?? 0)
  if (!inTime) attacker.findings.set('control', `the first refusal comes after ${elapsed} s, not ${ends}`)
  attacker.findings.set('refused after', `${elapsed} s`)
}

/** One part of a `parallel` step with `mixed` requests. */
async function toMixed(part: Json, attacker: Attacker): Promise<(() => Promise<void>)[]> {
  if (!isObject(part)) throw new Unsupported('parallel needs parts that are objects')
  const { n, refresh: from, logout } = part
  const count = countOf(n, 'n', MOST)
  const login = await findLogin(textOf(from ?? logout, 'refresh'), attacker)
  const run = async () => {
    if (from === undefined) {
      attacker.genuine.length = 0
      const exchange = await attacker.request(toBearerIntent(login.access, '/logout', 'POST'))
      if (exchange.response.status !== 204) attacker.findings.set('control', `logout: ${toShort(exchange)}`)
      return
    }
    const exchange = await attacker.attempt(toRefreshIntent(login.refresh))
    attacker.decisive.push(exchange)
  }
  return Array.from({ length: count }, () => run)
}

/** Spreads the items of each list evenly: a list of one item puts it in the middle. */
function interleave<T>(lists: readonly (readonly T[])[]): T[] {
  const placed = lists.flatMap((list) =>
    list.map((item, index) => ({ item, at: (index + 0.5) / list.length })),
  )
  return placed.sort((a, b) => a.at - b.at).map(({ item }) => item)
}

/** The `parallel` step; `toIntent` reads a request. */
export function toParallel(toIntent: (body: JsonObject, attacker: Attacker) => Promise<Intent>) {
  return async ({ n, request, mixed }: JsonObject, attacker: Attacker): Promise<void> => {
    if (isList(mixed)) {
      const parts = await Promise.all(mixed.map((part) => toMixed(part, attacker)))
      await Promise.all(interleave(parts).map((run) => run()))
      return
    }
    if (!isObject(request)) throw new Unsupported('parallel needs a request')
    const count = countOf(n, 'n', MOST)
    const intents = await Promise.all(Array.from({ length: count }, () => toIntent(request, attacker)))
    await Promise.all(
      intents.map(async (intent) => {
        const exchange = await attacker.attempt(intent)
        expectOwn(request, `${intent.method} ${intent.path}`, exchange, attacker)
      }),
    )
  }
}
