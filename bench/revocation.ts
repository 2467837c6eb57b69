/**
 * What a revocation check costs with a million entries, beside a bare `Map` that is asked for an identifier that was never hashed before,
 * and how much memory an entry takes.
 */
import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RevocationList } from '../src/session/revocation-list.ts'
import type { Race } from './measure.ts'

/** How many sessions are revoked. */
const ENTRIES = 1_000_000

const toId = (): string => randomBytes(16).toString('base64url')

/** The identifiers of sessions that are not revoked, as bytes: text made of them was never hashed. */
const LIVE = Array.from({ length: 1_000 }, () => Buffer.from(toId(), 'latin1'))

/** Identifiers whose text is kept, as the cache keeps the payload of a token that comes again. */
const CACHED = LIVE.map((bytes) => bytes.toString('latin1'))

let turn = 0

/** A ledger with a million entries, and what each of them takes in bytes. */
function fill(): { readonly ledger: RevocationList; readonly bytes: number } {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const before = process.memoryUsage().heapUsed
  const ledger = new RevocationList(5)
  for (let i = 0; i < ENTRIES; i++)
    ledger.add({ kind: 'sid', key: toId(), at: 0, until: Number.MAX_SAFE_INTEGER })
  collect()
  return { ledger, bytes: (process.memoryUsage().heapUsed - before) / ENTRIES }
}

/** The race, and the size of an entry. */
export function createRevocationRace(): { readonly race: Race; readonly bytes: number } {
  const { ledger, bytes } = fill()
  const bare = new Map(CACHED.map((id) => [`${id}.`, 0]))
  const race: Race = {
    title: `a million revoked: is this one`,
    draw: () => LIVE[(turn++ * 7919) % LIVE.length]?.toString('latin1') ?? '',
    contestants: [
      { name: 'bare Map, fresh identifier', run: (sid) => bare.has(sid) },
      {
        name: 'tokenwright, fresh identifier',
        run: (sid) => ledger.has({ sid, jti: undefined, sub: 'u', iat: 0 }),
      },
      {
        name: 'tokenwright, cached payload',
        run: () =>
          ledger.has({ sid: CACHED[(turn * 7919) % CACHED.length], jti: undefined, sub: 'u', iat: 0 }),
      },
    ],
  }
  return { race, bytes }
}
