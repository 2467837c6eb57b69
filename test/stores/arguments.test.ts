/** What people give a store in place of the client that it wants. */
import { expect, it } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { sqlStore } from '../../src/stores/sql.ts'

const URL = 'postgres://user:hunter2hunter2@host/name'

it.each([undefined, null, URL, {}, { query() {}, connect() {} }, { select() {}, insert() {}, $client: {} }])(
  'sqlStore(%o) says how to make what it wants',
  (given) => {
    const open = (): unknown => sqlStore(given as never)
    expect(open).toThrow(
      /^Expected `db` to be a Kysely instance, or \{ dialect, run \}, got .*new Kysely\(\{ dialect: .*\{ pool \}/,
    )
    expect(open).not.toThrow(/hunter2/)
  },
)

it.each([undefined, null, URL, {}])('redisStore(%o) says what it wants', (given) => {
  const open = (): unknown => redisStore(given as never)
  expect(open).toThrow(/^Expected `client` to be an ioredis or node-redis client/)
  expect(open).not.toThrow(/hunter2/)
})

it.each([null, 5, 'x', [], Promise.resolve({}), new Map(), memoryStore(), { clok: Date.now }, { clock: 5 }])(
  'memoryStore(%o) says what it wants',
  (given) => {
    expect(() => memoryStore(given as never)).toThrow(/^(?:Expected `options|Unknown option `options\.)/)
  },
)
