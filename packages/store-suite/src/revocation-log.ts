/**
 * Store suite: the log that other processes follow. If a process misses an entry, it continues to
 * accept a revoked token.
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { LogEntry, Store } from 'tokenwright/stores/contract'
import {
  assertTime,
  begin,
  type Cases,
  end,
  entriesOf,
  LENGTHS,
  pause,
  randomId,
  readOn,
  together,
  toTail,
} from './fixtures.ts'

const { logTtl } = LENGTHS

/** Revokes a few things in sequence, and returns their keys in that order. */
async function write(store: Store, count: number): Promise<string[]> {
  const keys: string[] = []
  const until = (await store.now()) + logTtl
  for (let i = 0; i < count; i++) {
    const key = i % 3 === 0 ? (await begin(store, null)).sid : randomId()
    if (i % 3 === 0) await end(store, key, null)
    if (i % 3 === 1) await store.revokeToken(key, until, null)
    const call = { logTtl, now: null, except: null, cutOff: logTtl }
    if (i % 3 === 2) await store.endAll({ sub: key, realm: null }, 'subject_revoked', call)
    keys.push(key)
  }
  return keys
}

/** What `readLog` returns. */
export const REVOCATION_LOG: Cases = {
  'returns the entries of all kinds after the cursor, oldest first': async (store) => {
    const since = await toTail(store)
    const keys = await write(store, 9)
    const entries = await entriesOf(store, since, keys)
    deepStrictEqual(
      entries.map(({ key }) => key),
      keys,
    )
    deepStrictEqual(
      entries.map(({ kind }) => kind),
      keys.map((_, i) => ['sid', 'jti', 'sub'][i % 3]),
    )
  },

  'returns the same entries in small pages, none twice': async (store) => {
    const since = await toTail(store)
    const keys = await write(store, 10)
    for (const limit of [1, 2, 3, 7, 1000]) {
      const { entries } = await readOn(store, since, limit)
      deepStrictEqual(
        entries.filter(({ key }) => keys.includes(key)).map(({ key }) => key),
        keys,
        `pages of ${limit}`,
      )
    }
  },

  'says whether there are more entries': async (store) => {
    const since = await toTail(store)
    await write(store, 3)
    const page = await store.readLog(since, 2)
    deepStrictEqual([page.entries.length, page.more], [2, true])
    strictEqual((await store.readLog(since, 1000)).more, false)
    const now = await store.now()
    ok(Math.abs(page.now - now) < 30, 'the page has the store’s time')
  },

  'returns all entries of one step, even if a page ends between them': async (store) => {
    const since = await toTail(store)
    const sub = randomId()
    const rows = await together(7, () => begin(store, null, { sub }))
    const call = { logTtl, now: null, except: null, cutOff: logTtl }
    await store.endAll({ sub, realm: null }, 'subject_revoked', call)
    const wanted = [sub, ...rows.map(({ sid }) => sid)].toSorted()
    for (const limit of [1, 3, 1000]) {
      const { entries } = await readOn(store, since, limit)
      const keys = entries.map(({ key }) => key).filter((key) => wanted.includes(key))
      deepStrictEqual(keys.toSorted(), wanted, `pages of ${limit}`)
    }
  },

  'returns nothing at the end, and then the new entries': async (store) => {
    const { cursor } = await readOn(store, await toTail(store))
    const [key = ''] = await write(store, 1)
    const next = await readOn(store, cursor)
    deepStrictEqual(next.entries.filter((entry) => entry.key === key).length, 1)
    deepStrictEqual(
      (await readOn(store, next.cursor)).entries.filter((entry) => entry.key === key),
      [],
    )
  },

  'starts at the beginning without a cursor': async (store) => {
    const keys = await write(store, 3)
    const { entries } = await readOn(store, null, 100)
    const found = entries.filter(({ key }) => keys.includes(key))
    deepStrictEqual(
      found.map(({ key }) => key),
      keys,
    )
  },

  'starts at the beginning with the cursor of another log, and says so': async (store) => {
    const keys = await write(store, 3)
    for (const cursor of ['0', 'x', 'moved.e30', '2024-01-01 00:00', '']) {
      const page = await store.readLog(cursor, 2)
      strictEqual(page.restarted, true, cursor)
      const { entries } = await readOn(store, page.cursor)
      const found = [...page.entries, ...entries].filter(({ key }) => keys.includes(key))
      deepStrictEqual(
        found.map(({ key }) => key),
        keys,
      )
    }
  },

  'has the times that the call passed': async (store) => {
    const since = await toTail(store)
    const t = 4_102_444_800.5
    const jti = randomId()
    await store.revokeToken(jti, t + 77.25, t)
    const [entry] = await entriesOf(store, since, [jti])
    assertTime(entry?.at ?? null, t, 'at')
    assertTime(entry?.until ?? null, t + 77.25, 'until')
  },

  'misses nothing while several writers write': async (store) => {
    const seen: LogEntry[] = []
    let cursor = await toTail(store)
    let writing = true
    const follow = async (): Promise<void> => {
      for (let last = false; !last; ) {
        last = !writing
        const page = await readOn(store, cursor, 5)
        seen.push(...page.entries)
        cursor = page.cursor
        await pause(0.001)
      }
    }
    const follower = follow()
    const written = await together(12, () => write(store, 15))
    writing = false
    await follower
    const keys = new Set(written.flat())
    const found = seen.map(({ key }) => key).filter((key) => keys.has(key))
    strictEqual(new Set(found).size, keys.size, 'every entry was seen')
    strictEqual(found.length, keys.size, 'and none twice')
  },
}
