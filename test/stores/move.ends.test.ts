/** The end of all sessions of a user, while one of them moves to and fro between the two stores. */
import { expect, it } from 'vitest'
import type { SessionRow } from '../../src/session/session-row.ts'
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

const ENDING = { logTtl: 900, now: null, except: null, cutOff: null } as const

/** Two stores, of which the old one has released a session: a process died while it moved it. */
async function release() {
  const clock = (): number => NOW
  const [from, to] = [memoryStore({ clock }), memoryStore({ clock })]
  await from.start(toDraft({ sid: 's1', ...OWNER, provedAt: NOW }), null)
  await from.transfer?.release(['s1'], null)
  return { from, to, prepared: moveStore({ from, to, phase: 'prepare' }) }
}

async function expectEnded(stores: Awaited<ReturnType<typeof release>>): Promise<void> {
  const { from, to, prepared } = stores
  const rows = [await from.get('s1'), await to.get('s1')]
  expect(rows.filter((row) => row !== null && row.revokedAt === null)).toEqual([])
  expect(await prepared.get('s1')).toMatchObject({ revokeReason: 'ended' })
}

it('ends a session that arrives in one store and goes back to the other meanwhile', async () => {
  const stores = await release()
  const { from, to, prepared } = stores
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
  await store.endAll(OWNER, 'ended', ENDING)
  expect(passes).toBeGreaterThan(1)
  await expectEnded(stores)
})

it('ends a session that is on its way back when it is done, and arrives later', async () => {
  const stores = await release()
  const { from, to, prepared } = stores
  const transfer = to.transfer as NonNullable<Store['transfer']>
  let moving: readonly SessionRow[] = []
  const store = moveStore({
    from,
    to: {
      ...to,
      transfer: {
        ...transfer,
        async findReleased(...args) {
          await prepared.get('s1')
          const found = await transfer.findReleased(...args)
          // Another process begins to move it back.
          moving = await transfer.release(['s1'], null)
          return found
        },
      },
    },
    phase: 'prepare',
  })
  await store.endAll(OWNER, 'ended', ENDING)
  expect(moving).toHaveLength(1)
  // And goes on.
  const records = moving.map((row) => ({ kind: 'session', row }) as const)
  await from.transfer?.write(records, { replaces: 'released', now: null })
  await expectEnded(stores)
})
