/** The end of all sessions of a user, while one of them moves to and fro between the two stores. */
import { expect, it } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { moveStore } from '../../src/stores/move.ts'
import { toCall, toDraft } from './sql-databases.ts'

const NOW = 1_800_000_000
const OWNER = { sub: 'ada', realm: null }

/** A store before and after whose calls something else happens. */
function between(
  store: Store,
  hooks: { before?: () => Promise<unknown>; after?: () => Promise<unknown> },
): Store {
  const transfer = store.transfer as NonNullable<Store['transfer']>
  return {
    ...store,
    async endAll(...args) {
      const count = await store.endAll(...args)
      await hooks.after?.()
      return count
    },
    transfer: {
      ...transfer,
      async write(...args) {
        await hooks.before?.()
        return transfer.write(...args)
      },
    },
  }
}

it('ends a session that arrives in one store and goes back to the other meanwhile', async () => {
  const clock = (): number => NOW
  const [from, to] = [memoryStore({ clock }), memoryStore({ clock })]
  await from.start(toDraft({ sid: 's1', ...OWNER, provedAt: NOW }), null)
  // A process died while it moved it.
  await from.transfer?.release(['s1'], null)
  const prepared = moveStore({ from, to, phase: 'prepare' })
  const back = moveStore({ from: to, to: from, phase: 'move' })
  let passes = 0
  const store = moveStore({
    from: between(from, {
      async after() {
        passes += 1
        if (passes === 2) await back.rotate(toCall('s1', 0))
      },
    }),
    to: between(to, { before: () => prepared.get('s1') }),
    phase: 'prepare',
  })
  await store.endAll(OWNER, 'ended', { logTtl: 900, now: null, except: null, cutOff: null })
  expect(passes).toBeGreaterThan(1)
  const rows = [await from.get('s1'), await to.get('s1')]
  expect(rows.filter((row) => row !== null && row.revokedAt === null)).toEqual([])
  expect(await prepared.get('s1')).toMatchObject({ revokeReason: 'ended' })
})
