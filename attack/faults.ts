/** The `fault` and `sweep` steps: find the function for each kind of fault. */
import type { Attacker } from './attacker.ts'
import { isObject, type JsonObject } from './cases.ts'
import { checkFile, checkRotations, killInTransaction, sweepCrashes, terminate } from './crashes.ts'
import { sweepCuts } from './cuts.ts'
import { disturbFeed, healFeed } from './feeds.ts'
import { breakStore, healStore } from './outages.ts'
import { textOf, Unsupported } from './values.ts'

async function begin(action: JsonObject, attacker: Attacker): Promise<void> {
  if (action['proxy'] === 'cut_sweep') return sweepCuts(attacker)
  if (action['inject'] !== undefined) return disturbFeed(textOf(action['inject'], 'inject'), attacker)
  if (action['signal'] === 'SIGTERM' && action['target'] === 'app') return terminate(attacker)
  if (action['signal'] === 'SIGKILL' && action['store'] === 'sqlite') return killInTransaction(attacker)
  return breakStore(action, attacker)
}

async function heal(attacker: Attacker): Promise<void> {
  const { disturbance, processes, proxy } = attacker.environment
  if (disturbance !== undefined) return healFeed(attacker)
  if (processes.length === 1) return checkRotations(attacker)
  if (processes.length > 1) return checkFile(attacker)
  if (proxy === undefined) return healStore(attacker)
}

/** The `fault` step. */
export async function fault({ target, action }: JsonObject, attacker: Attacker): Promise<void> {
  if (target !== 'store') throw new Unsupported(`fault of ${JSON.stringify(target ?? null)}`)
  if (action === 'heal') {
    await heal(attacker)
    attacker.phase = 'healed'
    return
  }
  if (!isObject(action)) throw new Unsupported(`fault ${JSON.stringify(action)}`)
  await begin(action, attacker)
  attacker.phase = 'broken'
}

/** The `sweep` step. */
export async function sweep({ over, do: work }: JsonObject, attacker: Attacker): Promise<void> {
  if (over !== 'crash_points' || !isObject(work) || work['refresh'] === undefined)
    throw new Unsupported(`sweep over ${JSON.stringify(over ?? null)}`)
  await sweepCrashes(attacker)
}
