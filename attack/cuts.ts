/**
 * Cuts the connection between application and store during a refresh: at each message, and at bytes
 * in between, in both directions. Each time, the client retries with the token that it has.
 */
import { type Attacker, codeOf, type Exchange, type Login } from './attacker.ts'
import { isLongRun } from './capabilities.ts'
import { generationOf } from './families.ts'
import { toRefreshIntent } from './intents.ts'
import { toShort } from './outages.ts'
import type { Cut, Direction, TcpProxy } from './proxy.ts'
import { Unsupported } from './values.ts'

/** The sentences that this file checks. */
export const CUT_SENTENCES = {
  retry: 'for every k: retry with the same old token succeeds inside grace',
  lineage: 'one live lineage',
  whole: 'no partial family',
} as const

/** How many positions between messages a short run tries in each direction. */
const SHORT = 12

/** One page holds the whole log, as nothing else writes to it here. */
const WHOLE_LOG = 10_000

/** Where to cut: at each message's first and last byte and evenly in between, or at each byte. */
function toCuts({ passed }: TcpProxy): Cut[] {
  return (['up', 'down'] as const).flatMap((direction) => {
    const sizes = passed.filter((part) => part.direction === direction).map(({ bytes }) => bytes)
    const total = sizes.reduce((sum, size) => sum + size, 0)
    const ends = sizes.map((_, index) => sizes.slice(0, index + 1).reduce((sum, size) => sum + size, 0))
    const count = isLongRun() ? total : Math.min(SHORT, total)
    const between = Array.from({ length: count }, (_, index) => Math.floor((index * total) / count))
    const places = new Set([0, ...ends.flatMap((end) => [end - 1, end]), ...between])
    // Bytes after the last one belong to the next request.
    return [...places].filter((after) => after >= 0 && after < total).map((after) => ({ direction, after }))
  })
}

/** Refreshes until the store can be reached. */
async function retry(token: string, attacker: Attacker): Promise<Exchange> {
  const end = performance.now() + 5_000
  for (;;) {
    const exchange = await attacker.tryRequest(toRefreshIntent(token))
    if (exchange.response.status !== 503 || performance.now() > end) return exchange
  }
}

/** One cut: checks what the client gets, and what the store holds afterwards. */
async function tryCut(cut: Cut, proxy: TcpProxy, attacker: Attacker): Promise<number> {
  const login = await attacker.login('bob')
  const place = `${cut.direction} after ${cut.after}`
  proxy.arm(cut)
  const first = await attacker.tryRequest(toRefreshIntent(login.refresh))
  proxy.disarm()
  const { status } = first.response
  const { retry: retried, lineage } = CUT_SENTENCES
  attacker.record(retried, status === 503 || status === 200, `${place}: at once ${toShort(first)}`)
  const second = await retry(login.refresh, attacker)
  attacker.record(retried, second.response.status === 200, `${place}: the retry gets ${toShort(second)}`)
  if (second.response.status !== 200) return status
  const next = attacker.toLogin('bob', second)
  const third = await retry(login.refresh, attacker)
  const again = third.response.status === 200 ? attacker.toLogin('bob', third).refresh : codeOf(third)
  attacker.record(lineage, again === next.refresh, `${place}: two successors`)
  const onwards = await retry(next.refresh, attacker)
  attacker.record(
    lineage,
    onwards.response.status === 200,
    `${place}: the successor gets ${toShort(onwards)}`,
  )
  await checkFamily(login, next, place, attacker)
  return status
}

async function checkFamily(login: Login, next: Login, place: string, attacker: Attacker): Promise<void> {
  const store = attacker.environment.connection?.store
  if (store === undefined) throw new Unsupported('no store to read')
  const row = await store.get(login.sid)
  const { lineage, whole } = CUT_SENTENCES
  const advanced = row?.gen === 1 && generationOf(next.refresh) === 1
  attacker.record(lineage, advanced, `${place}: generation ${row?.gen} of 1`)
  const { entries } = await store.readLog(null, WHOLE_LOG)
  const marked = entries.some(({ key }) => key === login.sid)
  attacker.record(
    whole,
    row?.revokedAt === null && !marked,
    `${place}: the family is revoked in part or in whole`,
  )
  const rows = (await store.list({ sub: 'bob', realm: null }, null)).filter(({ sid }) => sid === login.sid)
  attacker.record(whole, rows.length === 1, `${place}: ${rows.length} rows are listed`)
}

/** Cuts a refresh at each position. */
export async function sweepCuts(attacker: Attacker): Promise<void> {
  const { proxy } = attacker.environment
  if (proxy === undefined) throw new Unsupported('a cut without a proxy')
  // The first call of a process also reads the store's clock.
  await retry((await attacker.login('bob')).refresh, attacker)
  const login = await attacker.login('bob')
  proxy.reset()
  await retry(login.refresh, attacker)
  const cuts = toCuts(proxy)
  const counts = new Map<number, number>()
  for (const cut of cuts) {
    const status = await tryCut(cut, proxy, attacker)
    counts.set(status, (counts.get(status) ?? 0) + 1)
  }
  const count = (direction: Direction) => cuts.filter((cut) => cut.direction === direction).length
  const shortly = isLongRun() ? '' : ' (ATTACK_LONG=1: at every byte)'
  attacker.findings.set('statuses', JSON.stringify(Object.fromEntries(counts)))
  attacker.notes.push(
    `${attacker.environment.server?.address.kind}: cut at ${count('up')} places up, ${count('down')} down${shortly}`,
  )
}
