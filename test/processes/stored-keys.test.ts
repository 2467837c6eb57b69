/**
 * Keys in a database: two processes of the example make the first key together, and go through a whole rotation while users log in at
 * one and refresh at the other. No one is refused.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { describe, expect, it } from 'vitest'
import {
  keysInPostgres,
  keysInRedis,
  rotateStored,
  type StoredKeys,
} from '../../examples/shared/stored-keys.ts'
import { startExample } from '../examples/program.ts'
import { HAS_REDIS, startRedis } from '../stores/redis-server.ts'
import { HAS, openDatabase, PG } from '../stores/sql-databases.ts'

/** Seconds here, days in practice. */
const PLAN = { EVERY: '1s', ANNOUNCE: '3s', RETIRE: '4s', OLDER_THAN: '4s' }

interface Place {
  /** What the example takes as `KEYS`. */
  readonly keys: string
  /** The stored text. */
  read(): Promise<string>
  /** The same place, by the functions of the example. */
  connect(): StoredKeys
  close(): Promise<void>
}

async function openPostgres(): Promise<Place> {
  const { path, sql, close } = await openDatabase('postgres', false)
  await sql('create table auth_keys (id integer primary key, keys text)')
  const pool = new Pool({ ...PG, options: `-c search_path=${path}`, max: 1 })
  const options = encodeURIComponent(`-c search_path=${path}`)
  return {
    keys: `postgres://${PG.user}@${PG.host}:${PG.port}/${PG.database}?options=${options}`,
    async read() {
      const { rows } = await pool.query('select keys from auth_keys')
      expect(rows).toHaveLength(1)
      return rows[0].keys
    },
    connect: () => keysInPostgres(new Pool({ ...PG, options: `-c search_path=${path}`, max: 10 })),
    async close() {
      await pool.end()
      await close()
    },
  }
}

async function openRedis(): Promise<Place> {
  const server = await startRedis()
  const client = new Redis(server.port)
  return {
    keys: `redis://127.0.0.1:${server.port}`,
    read: async () => (await client.get('auth:keys')) ?? '',
    connect: () => keysInRedis(new Redis(server.port)),
    async close() {
      client.disconnect()
      await server.close()
    },
  }
}

const MANY = 20

/** Stored keys that so many have read before one of them goes on. */
function readTogether(stored: StoredKeys, count: number): StoredKeys {
  let reading = 0
  let open = (): void => undefined
  const all = new Promise<void>((resolve) => {
    open = resolve
  })
  return {
    ...stored,
    async read() {
      const text = await stored.read()
      reading += 1
      if (reading === count) open()
      await all
      return text
    },
  }
}

const PLACES = [
  ['PostgreSQL', HAS.postgres, openPostgres],
  ['Redis', HAS_REDIS, openRedis],
] as const

const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid

describe.each(PLACES)('keys in %s', (_, isHere, open) => {
  it.skipIf(!isHere)('are rotated once, however many rotate at once', async () => {
    const place = await open()
    const stored = place.connect()
    try {
      const rotateAll = async (options: Parameters<typeof rotateStored>[1]) => {
        const keys = readTogether(stored, MANY)
        const done = await Promise.all(Array.from({ length: MANY }, () => rotateStored(keys, options)))
        return done.filter(Boolean).length
      }
      const plan = { announce: '1h', retire: '20d' } as const
      expect(await rotateAll({ ...plan, olderThan: '30d' })).toBe(1)
      expect(await rotateAll({ ...plan, olderThan: '30d' })).toBe(0)
      expect(await rotateAll(plan)).toBe(1)
      const { keys } = JSON.parse(await place.read())
      expect(keys).toHaveLength(2)
      expect(await stored.read()).toBe(await place.read())
    } finally {
      await stored.close()
      await place.close()
    }
  })

  it.skipIf(!isHere)(
    'go through a rotation that refuses no one',
    async () => {
      const place = await open()
      try {
        // Both at once: of the two first keys one counts.
        const programs = await Promise.all(
          [1, 2].map(() => startExample('stored-keys', { KEYS: place.keys, ...PLAN })),
        )
        const { keys } = JSON.parse(await place.read())
        expect(keys).toHaveLength(1)
        const urls = programs.map(({ url }) => url)
        const seen = { refused: [] as string[], kids: new Set<string>(), steps: new Set<string>() }
        const end = Date.now() + 14_000
        await Promise.all(Array.from({ length: 6 }, (_user, user) => live(urls, user, { end, seen })))
        expect(seen.refused).toEqual([])
        // The first key, its successor, and the one after that, one after the other.
        expect([...seen.kids].length).toBeGreaterThanOrEqual(2)
        expect([...seen.kids][0]).toBe(keys[0].kid)
        const last = JSON.parse(await place.read()).keys as { kid: string; signsFrom: number }[]
        expect(last.map(({ kid }) => kid)).not.toContain(keys[0].kid)
        // Two processes that rotate at the same moments have made one key for each time.
        const times = last.map(({ signsFrom }) => signsFrom).sort()
        for (let i = 1; i < times.length; i++)
          expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeGreaterThan(3)
        for (const program of programs) expect(await program.stop()).toMatchObject({ code: 0, stderr: '' })
      } finally {
        await place.close()
      }
    },
    60_000,
  )
})

interface Life {
  readonly end: number
  readonly seen: { readonly refused: string[]; readonly kids: Set<string> }
}

/** A user who logs in at one process, and refreshes at one after the other, until the refresh token ends. */
async function live(urls: readonly string[], user: number, { end, seen }: Life): Promise<void> {
  const at = (turn: number): string => urls[turn % urls.length] ?? ''
  const post = async (url: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    const text = await response.text()
    if (!response.ok) seen.refused.push(`${url}: ${response.status} ${text}`)
    return JSON.parse(text) as { access_token: string; refresh_token: string }
  }
  let tokens = { access_token: '', refresh_token: '' }
  let loginUntil = 0
  for (let turn = user; Date.now() < end && seen.refused.length === 0; turn++) {
    if (Date.now() > loginUntil) {
      loginUntil = Date.now() + 2000
      tokens = await post(`${at(turn)}/auth/login`, { username: 'test', password: 'test' })
    }
    const { access_token, refresh_token } = tokens
    seen.kids.add(kidOf(access_token))
    const me = await fetch(`${at(turn + 1)}/me`, { headers: { authorization: `Bearer ${access_token}` } })
    if (!me.ok) seen.refused.push(`me: ${me.status} ${await me.text()}`)
    tokens = await post(`${at(turn + 1)}/auth/refresh`, { refresh_token })
    await sleep(50)
  }
}
