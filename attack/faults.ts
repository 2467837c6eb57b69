/** The `fault` and `sweep` steps: find the function for each kind of fault. */
import type { Attacker } from './attacker.ts'
import { isObject, type JsonObject } from './cases.ts'
import { checkFile, checkRotations, killInTransaction, sweepCrashes, terminate } from './crashes.ts'
import { sweepCuts } from './cuts.ts'
import { type FaultKind, toFault } from './fault-kinds.ts'
import { disturbFeed, healFeed } from './feeds.ts'
import { endGreetings, healGreetings } from './greetings.ts'
import { breakStore, healStore } from './outages.ts'
import { textOf, Unsupported } from './values.ts'

/** How each kind of fault begins. */
const BEGIN: Readonly<Record<FaultKind, (action: JsonObject, attacker: Attacker) => Promise<void>>> = {
  cuts: (_action, attacker) => sweepCuts(attacker),
  greeting: (_action, attacker) => endGreetings(attacker),
  feed: ({ inject }, attacker) => disturbFeed(textOf(inject, 'inject'), attacker),
  shutdown: (_action, attacker) => terminate(attacker),
  transaction: (_action, attacker) => killInTransaction(attacker),
  snapshot: breakStore,
  outage: breakStore,
}

async function heal(attacker: Attacker): Promise<void> {
  const { disturbance, processes, proxy } = attacker.environment
  if (disturbance !== undefined) return healFeed(attacker)
  if (processes.length === 1 && proxy !== undefined) return healGreetings(attacker)
  if (processes.length === 1) return checkRotations(attacker)
  if (processes.length > 1) return checkFile(attacker)
  if (proxy === undefined) return healStore(attacker)
}

/** The `fault` step. */
export async function fault(body: JsonObject, attacker: Attacker): Promise<void> {
  if (body['target'] === 'store' && body['action'] === 'heal') {
    if (attacker.phase !== 'broken') throw new Unsupported('nothing to heal: no fault has begun')
    await heal(attacker)
    attacker.phase = 'healed'
    return
  }
  const { kind, action } = toFault(body)
  await BEGIN[kind](action, attacker)
  attacker.phase = 'broken'
}

/** The `sweep` step. */
export async function sweep({ over, do: work }: JsonObject, attacker: Attacker): Promise<void> {
  if (over !== 'crash_points' || !isObject(work) || work['refresh'] === undefined)
    throw new Unsupported(`unknown sweep over ${JSON.stringify(over ?? null)}`)
  await sweepCrashes(attacker)
}
