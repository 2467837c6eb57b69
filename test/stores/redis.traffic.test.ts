/** What goes over the wire and what stays in Redis: round trips, declared keys, expiry, the size of the log. */
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { HAS_REDIS, type RedisServer, startRedis, toCall, toDraft, together } from './redis-server.ts'

const DAY = 86_400

describe.skipIf(!HAS_REDIS)('traffic', () => {
  let server: RedisServer
  let client: Redis
  let store: Store

  beforeAll(async () => {
    server = await startRedis()
    client = new Redis(server.port)
    store = redisStore(client)
  })
  beforeEach(() => client?.flushall())
  afterAll(async () => {
    client?.disconnect()
    await server?.close()
  })

  /** Every step of the contract, once; `now` as the calls bring it. */
  function stepsOf(sid: string, sub: string): Record<string, () => Promise<unknown>> {
    const revoke = { logTtl: 900, now: null }
    return {
      now: () => store.now(),
      start: () => store.start(toDraft({ sid, sub }), null),
      rotate: () => store.rotate(toCall(sid, 0)),
      'rotate, replayed': () => store.rotate(toCall(sid, 0)),
      stepUp: () => store.stepUp({ sid, authTime: 1, acr: null, amr: null, notAfter: null, now: null }),
      countAttempt: () => store.countAttempt(sub, 5, 900, null),
      countTogether: async () => store.countTogether?.([{ key: sid, limit: 5, window: 900 }], [sub], null),
      forgetTogether: async () =>
        store.forgetTogether?.(
          [sub, sid].map((key) => ({ key, count: 1 })),
          null,
        ),
      get: () => store.get(sid),
      list: () => store.list({ sub, realm: null }, null),
      isRevoked: () => store.isRevoked({ realm: null, sid, jti: 'j', sub, iat: 1, now: null }),
      revokeToken: async () => store.revokeToken('j', Date.now() / 1000 + 900, null),
      readLog: () => store.readLog(null, 100),
      end: () => store.end(sid, 'ended', revoke),
      endAll: () =>
        store.endAll({ sub, realm: null }, 'subject_revoked', { ...revoke, except: null, cutOff: 900 }),
      prune: () => store.prune(null),
      inspect: () => store.inspect(),
    }
  }

  it('sends one command per step, all of whose keys have the tag', async () => {
    const steps = stepsOf('sid', 'ada')
    // The scripts are learnt first: the very first run of each takes two.
    for (const step of Object.values(stepsOf('warm', 'up'))) await step()
    const watcher = new Redis(server.port)
    // Its own greeting must be over: ioredis loses count when a command comes together with the answer to MONITOR.
    await watcher.ping()
    const monitor = await watcher.monitor()
    const own = /\baddr=(\S+)/.exec(String(await client.call('CLIENT', 'INFO')))?.[1]
    const sent: string[][] = []
    const touched: string[] = []
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      if (source === own) sent.push(args)
      else if (source === 'lua' && !/^(TIME|INFO)$/i.test(args[0] ?? '')) touched.push(args[1] ?? '')
    })
    for (const [name, step] of Object.entries(steps)) {
      sent.length = 0
      await step()
      await client.echo('done')
      while (sent.at(-1)?.[0]?.toLowerCase() !== 'echo') await pause(1)
      expect(
        sent.map(([command]) => command?.toLowerCase()),
        name,
      ).toEqual(['evalsha', 'echo'])
      const keys = sent[0]?.slice(3, 3 + Number(sent[0][2]))
      for (const key of keys ?? []) expect(key).toMatch(/^\{tw\}:/)
    }
    monitor.disconnect()
    watcher.disconnect()
    expect(touched.length).toBeGreaterThan(20)
    for (const key of touched) expect(key).toMatch(/^\{tw\}:/)
  })

  it('sends the commands of one turn together, so that Redis begins before the last is made', async () => {
    await store.now()
    const { stream } = client as unknown as { stream: Socket }
    const cork = vi.spyOn(stream, 'cork')
    const calls = [store.now(), store.now(), store.now()]
    expect(cork).toHaveBeenCalledTimes(1)
    expect(stream.writableCorked).toBe(1)
    await Promise.all(calls)
    expect(stream.writableCorked).toBe(0)
    await store.now()
    expect(cork).toHaveBeenCalledTimes(2)
    const sent = vi.spyOn(stream, 'uncork')
    const many = Array.from({ length: 20 }, () => store.now())
    expect(sent, 'four times four').toHaveBeenCalledTimes(4)
    expect(stream.writableCorked).toBe(1)
    await Promise.all(many)
    expect(sent).toHaveBeenCalledTimes(5)
    expect(stream.writableCorked).toBe(0)
    for (const spy of [cork, sent]) spy.mockRestore()
  })

  it('lets every record expire, at the time of the contract', async () => {
    const { sid, sub } = toDraft()
    await store.start(toDraft({ sid, sub, idle: 1000, absolute: 5000 }), null)
    await store.start(toDraft({ sub, absolute: 100 }), null)
    await store.countAttempt('k', 5, 60, null)
    await store.countAttempt('k', 5, 60, null)
    await store.revokeToken('j', (await store.now()) + 77, null)
    const lives = async (key: string): Promise<number> =>
      Math.round((await client.pttl(`{tw}:${key}`)) / 1000)
    expect(await lives(`s:${sid}`)).toBe(1000 + DAY)
    expect(await lives(`u:${sub}`), 'as long as the longest session').toBe(5000 + DAY)
    expect(await lives('a:k')).toBe(60)
    expect(await lives('j:j')).toBe(77)
    await store.rotate(toCall(sid, 0, { idle: 2000 }))
    expect(await lives(`s:${sid}`), 'a day longer than its idle end').toBe(2000 + DAY)
    await store.endAll({ sub, realm: null }, 'subject_revoked', {
      logTtl: 10,
      except: null,
      cutOff: 20,
      now: null,
    })
    expect(await lives(`s:${sid}`), 'a day after it was revoked').toBe(DAY)
    expect(await lives(`c:${sub}`), 'a cut-off outlives every session').toBe(5000 + DAY)
    await store.endAll({ sub: 'none', realm: null }, 'subject_revoked', {
      logTtl: 10,
      except: null,
      cutOff: 20,
      now: null,
    })
    expect(await lives('c:none'), 'and logins in flight').toBe(20 + DAY)
    expect(await client.exists('{tw}:due')).toBe(0)
  })

  it('removes ended sessions from the index', async () => {
    const sub = 'ada'
    const rows = await together(10, () => store.start(toDraft({ sub, absolute: 0.2 }), null))
    const ended = await store.start(toDraft({ sub }), null)
    const stolen = await store.start(toDraft({ sub }), null)
    expect(await client.zcard(`{tw}:u:${sub}`)).toBe(rows.length + 2)
    await store.end(ended?.sid ?? '', 'ended', { logTtl: 900, now: null })
    for (const gen of [0, 1]) await store.rotate(toCall(stolen?.sid ?? '', gen, { overlap: 0 }))
    expect((await store.rotate(toCall(stolen?.sid ?? '', 0, { overlap: 0 }))).word).toBe('reused')
    expect(await client.zcard(`{tw}:u:${sub}`)).toBe(rows.length)
    await pause(250)
    const last = await store.start(toDraft({ sub }), null)
    expect(await client.zrange(`{tw}:u:${sub}`, '0', '-1')).toEqual([last?.sid])
  })

  it('keeps the log as long as a token may need it, and no longer', async () => {
    const now = await store.now()
    await store.revokeToken('long', now + 900, null)
    await together(100, (i) => store.revokeToken(`short ${i}`, now + 0.3, null))
    const { cursor } = await store.readLog(null, 1000)
    expect(await client.xlen('{tw}:log')).toBe(101)
    await pause(350)
    await together(10, (i) => store.revokeToken(`next ${i}`, now + 900, null))
    expect(await client.xlen('{tw}:log'), 'each write takes a few away').toBeLessThan(101)
    const pruned = await store.prune(null)
    expect(pruned).toBeGreaterThan(0)
    expect(await client.xlen('{tw}:log')).toBe(11)
    const { entries } = await store.readLog(cursor, 1000)
    expect(entries.map(({ key }) => key).sort()).toEqual(Array.from({ length: 10 }, (_, i) => `next ${i}`))
    expect(await store.prune(null)).toBe(0)
  })

  it('removes nothing by a passed clock, which may be wrong', async () => {
    await store.revokeToken('good', (await store.now()) + 900, null)
    await store.revokeToken('late', 5_000_000_900, 5_000_000_000)
    expect((await store.readLog(null, 100)).entries.map(({ key }) => key)).toEqual(['good', 'late'])
  })

  it('prunes what a passed clock has left behind, in bounded steps', async () => {
    const then = 1_000_000_000
    const sids = (await together(1200, () => store.start(toDraft({ absolute: 100 }), then))).map(
      (row) => row?.sid,
    )
    await store.revokeToken('j', then + 50, then)
    expect(await store.prune(then + 60)).toBe(2)
    expect(await store.prune(then + 100 + DAY - 1)).toBe(0)
    expect(await store.prune(then + 100 + DAY)).toBe(1200)
    for (const sid of [sids[0], sids[1199]]) expect(await store.get(sid ?? '')).toBeNull()
    expect(await client.exists('{tw}:due')).toBe(0)
  })

  it('lists and ends a thousand sessions, and data of a megabyte', async () => {
    const data = { text: '\ud83d\ude00\ud800"\\\u0000'.repeat(100_000), empty: [], none: {}, __proto__: null }
    const row = await store.start(toDraft({ data }), null)
    expect((await store.get(row?.sid ?? ''))?.data).toEqual(data)
    await together(1100, () => store.start(toDraft({ sub: 'many' }), null))
    expect(await store.list({ sub: 'many', realm: null }, null)).toHaveLength(1000)
    const call = { logTtl: 900, except: null, cutOff: null, now: null }
    expect(await store.endAll({ sub: 'many', realm: null }, 'subject_revoked', call)).toBe(1100)
    expect(await store.list({ sub: 'many', realm: null }, null)).toEqual([])
    expect((await store.readLog(null, 5000)).entries).toHaveLength(1100)
  })

  it('loads no client, and refuses what is not a client', () => {
    for (const wrong of [undefined, null, {}, 'redis://127.0.0.1', { get: () => null }]) {
      expect(() => redisStore(wrong as never)).toThrow(
        /Expected `client` to be an ioredis or node-redis client/,
      )
    }
    for (const prefix of ['', '{x}', 'a b', 'x'.repeat(65), 7]) {
      expect(() => redisStore(client, { prefix: prefix as string })).toThrow(/Expected `prefix`/)
    }
    expect(() => redisStore(client, { prefx: 'a' } as never)).toThrow(/did you mean `prefix`/)
    expect(() => redisStore(client, null as never)).toThrow(/Expected `options`/)
  })

  it('rejects a reply that it does not understand, and passes failures on', async () => {
    await expect(redisStore({ call: async () => 'OK' }).now()).rejects.toThrow(/Expected an array/)
    const refresh = (reply: unknown) => redisStore({ call: async () => reply }).rotate(toCall('sid', 0))
    await expect(refresh([])).rejects.toThrow(/Expected a text/)
    await expect(refresh('OK')).rejects.toThrow(/Expected a word and a time/)
    const failure = new Error('READONLY You can’t write against a read only replica.')
    await expect(redisStore({ call: () => Promise.reject(failure) }).now()).rejects.toBe(failure)
    await expect(
      redisStore({
        call: () => {
          throw failure
        },
      }).now(),
    ).rejects.toBe(failure)
  })
})
