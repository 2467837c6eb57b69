/** Servers that hang, die, forget, run full or refuse: what the store answers, and what it warns of beforehand. */
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { createRunner, createScript } from '../../src/stores/redis/script.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { HAS_REDIS, type RedisServer, startRedis, toCall, toDraft, waitFor } from './redis-server.ts'

async function open(...args: string[]): Promise<{ server: RedisServer; client: Redis; store: Store }> {
  const server = await startRedis(...args)
  const client = new Redis(server.port, { retryStrategy: () => 20 })
  client.on('error', () => undefined)
  onTestFinished(async () => {
    client.disconnect()
    await server.close()
  })
  return { server, client, store: redisStore(client) }
}

async function killAndRestart(server: RedisServer, client: Redis): Promise<void> {
  await server.kill()
  await server.restart()
  await waitFor(async () => (await client.ping().catch(() => '')) === 'PONG')
}

const REVOKE = { logTtl: 900, now: null } as const

describe.skipIf(!HAS_REDIS)('a server that hangs', () => {
  it('writes nothing for a call whose deadline has passed', async () => {
    const { server, store } = await open()
    const row = await store.start(toDraft(), null)
    const sid = row?.sid ?? ''
    const notAfter = (await store.now()) + 0.2
    process.kill(server.pid, 'SIGSTOP')
    const calls = [
      store.rotate(toCall(sid, 0, { notAfter })),
      store.rotate(toCall(sid, 0, { notAfter, rotation: false })),
      store.stepUp({ sid, authTime: 1, acr: null, amr: null, notAfter, now: null }),
    ]
    await pause(400)
    process.kill(server.pid, 'SIGCONT')
    expect((await Promise.all(calls)).map(({ word }) => word)).toEqual(['late', 'late', 'late'])
    expect(await store.get(sid)).toEqual(row)
    // The client's own retry is no thief, however long after: nothing had happened.
    expect((await store.rotate(toCall(sid, 0, { overlap: 0 }))).word).toBe('rotated')
    const { word } = await store.rotate(toCall(sid, 0, { overlap: 0, notAfter }))
    expect(word, 'a reuse that comes late').toBe('late')
    expect((await store.get(sid))?.revokedAt).toBeNull()
  })
})

describe.skipIf(!HAS_REDIS)('a server that is killed', () => {
  it('keeps everything with appendonly, and followers continue', async () => {
    const { server, client, store } = await open('--appendonly', 'yes')
    expect(await store.inspect()).toEqual([])
    const [kept, ended] = [toDraft(), toDraft()]
    for (const draft of [kept, ended]) await store.start(draft, null)
    await store.rotate(toCall(kept.sid, 0))
    const { cursor } = await store.readLog(null, 100)
    await store.end(ended.sid, 'ended', REVOKE)
    await killAndRestart(server, client)
    expect((await store.rotate(toCall(kept.sid, 0))).word).toBe('replayed')
    expect((await store.rotate(toCall(ended.sid, 0))).word).toBe('revoked')
    const page = await store.readLog(cursor, 100)
    expect(page.entries.map(({ key }) => key)).toEqual([ended.sid])
    await store.end(kept.sid, 'ended', REVOKE)
    const next = await store.readLog(page.cursor, 100)
    expect(next.entries.map(({ key }) => key)).toEqual([kept.sid])
  })

  it('forgets everything without appendonly, as it warns, and then accepts no token', async () => {
    const { server, client, store } = await open()
    expect(await store.inspect()).toEqual([expect.stringContaining('without appendonly')])
    const { sid, sub } = toDraft()
    await store.start(toDraft({ sid, sub }), null)
    const { cursor } = await store.readLog(null, 100)
    await killAndRestart(server, client)
    expect((await store.rotate(toCall(sid, 0))).word).toBe('unknown')
    expect(await store.isRevoked({ realm: null, sid, jti: null, sub, iat: null, now: null })).toBe(true)
    // A logout of what was lost still reaches the processes that follow the log.
    expect(await store.end(sid, 'ended', REVOKE)).toBe(false)
    expect((await store.readLog(cursor, 100)).entries.map(({ key }) => key)).toEqual([sid])
  })

  it('after going back to a snapshot, heals a session that is ahead and ends one for an older token', async () => {
    const { server, client, store } = await open()
    const { sid } = toDraft()
    const strict = { overlap: 0 }
    await store.start(toDraft({ sid }), null)
    for (const gen of [0, 1]) await store.rotate(toCall(sid, gen, strict))
    await client.save()
    for (const gen of [2, 3, 4]) await store.rotate(toCall(sid, gen, strict))
    await killAndRestart(server, client)
    expect((await store.get(sid))?.gen).toBe(2)
    const healed = await store.rotate(toCall(sid, 5, strict))
    expect([healed.word, healed.row?.gen]).toEqual(['healed', 6])
    expect((await store.rotate(toCall(sid, 4, strict))).word).toBe('reused')
    expect((await store.rotate(toCall(sid, 6, strict))).word).toBe('revoked')
  })

  it('gives followers the entries that a server with a slower clock writes after a failover', async () => {
    const { server, client, store } = await open('--appendonly', 'yes')
    await store.revokeToken('before', (await store.now()) + 900, null)
    const { cursor } = await store.readLog(null, 100)
    // The follower has read an entry that the new server does not have, with an id that its clock has yet to reach.
    const [, server_] = cursor.split(' ')
    const ahead = `${Date.now() + 60_000}-0 ${server_}`
    expect((await store.readLog(ahead, 100)).entries).toEqual([])
    await killAndRestart(server, client)
    await store.revokeToken('after', (await store.now()) + 900, null)
    expect((await store.readLog(ahead, 100)).entries.map(({ key }) => key)).toEqual(['before', 'after'])
  })

  it('does not end the process of a node-redis client without a listener', async () => {
    const server = await startRedis()
    const make = () =>
      createClient({ url: `redis://127.0.0.1:${server.port}`, socket: { reconnectStrategy: 20 } })
    const [client, watched] = [make(), make()]
    onTestFinished(async () => {
      for (const each of [client, watched]) each.destroy()
      await server.close()
    })
    let heard = 0
    watched.on('error', () => {
      heard += 1
    })
    const stores = [redisStore(client), redisStore(watched)]
    expect(client.listenerCount('error')).toBe(1)
    expect(watched.listenerCount('error')).toBe(1)
    await Promise.all([client.connect(), watched.connect()])
    await server.kill()
    // vitest fails the run for an error that nobody catches.
    await waitFor(async () => heard > 2)
    await server.restart()
    for (const store of stores) expect(await store.now()).toBeGreaterThan(1e9)
  })
})

describe.skipIf(!HAS_REDIS)('a server that refuses', () => {
  it('does a step completely or not at all when its memory is full', async () => {
    const { client, store } = await open()
    const { sid, sub } = toDraft()
    const row = await store.start(toDraft({ sid, sub }), null)
    await client.config('SET', 'maxmemory', '1')
    const end = { logTtl: 900, except: null, cutOff: 900, now: null }
    for (const step of [
      () => store.start(toDraft({ sub }), null),
      () => store.rotate(toCall(sid, 0)),
      () => store.end(sid, 'ended', REVOKE),
      () => store.endAll({ sub, realm: null }, 'subject_revoked', end),
      () => store.revokeToken('t', Date.now() / 1000 + 900, null),
      () => store.countAttempt('k', 5, 900, null),
    ]) {
      await expect(step()).rejects.toThrow(/OOM/)
    }
    expect(await store.get(sid)).toEqual(row)
    expect((await store.readLog(null, 100)).entries).toEqual([])
    await client.config('SET', 'maxmemory', '0')
    expect((await client.keys('*')).sort()).toEqual([`{tw}:s:${sid}`, `{tw}:u:${sub}`].sort())
    expect((await store.rotate(toCall(sid, 0))).word).toBe('rotated')
  })

  it('warns of an eviction policy, and of what it could not check', async () => {
    const { server, client, store } = await open('--appendonly', 'yes')
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    expect(await store.inspect()).toEqual([expect.stringMatching(/maxmemory-policy allkeys-lru.*noeviction/)])
    await client.acl('SETUSER', 'app', 'on', '>secret', '~{tw}:*', '+@all', '-info', '-config')
    const limited = new Redis(server.port, { username: 'app', password: 'secret', enableReadyCheck: false })
    onTestFinished(() => limited.disconnect())
    const warnings = await redisStore(limited).inspect()
    expect(warnings).toHaveLength(3)
    for (const warning of warnings) expect(warning).toMatch(/could not be checked/)
    // Such a user keeps sessions and follows the log all the same.
    const own = redisStore(limited)
    await own.revokeToken('t', (await own.now()) + 900, null)
    const page = await own.readLog(null, 100)
    expect(page.entries.map(({ key }) => key)).toEqual(['t'])
    expect((await own.readLog(page.cursor, 100)).entries).toEqual([])
  })

  it('warns of an old version, without an address or a password', async () => {
    const info = 'redis_version:6.0.16\r\naof_enabled:0\r\nmaxmemory_policy:volatile-lru\r\n'
    const old = redisStore({ call: async () => [info, '', '', ''] })
    const warnings = await old.inspect()
    expect(warnings).toEqual([
      'Redis 6.0 is too old: 6.2 or later is needed',
      expect.stringContaining('appendonly'),
      expect.stringContaining('volatile-lru'),
    ])
    expect(warnings.join()).not.toMatch(/127\.0|localhost|:\/\//)
    const young = redisStore({
      call: async () => ['redis_version:10.0.1\naof_enabled:1\nmaxmemory_policy:noeviction'],
    })
    expect(await young.inspect()).toEqual([])
  })
})

describe('a script that a server does not know', () => {
  it.each([
    'NOSCRIPT No matching script. Please use EVAL.',
    // ioredis, sent around a cluster whose master is being replaced.
    'Too many Cluster redirections. Last error: ReplyError: NOSCRIPT No matching script. Please use EVAL.',
  ])('is sent as a text (%s)', async (message) => {
    const sent: string[] = []
    const run = createRunner({
      async send(_key, [command = '']) {
        sent.push(command)
        if (command === 'EVALSHA') throw new Error(message)
        return ['1']
      },
    })
    const script = createScript({ keys: 'log', args: '', body: "return { '1' }" })
    expect(await run(script, { keys: ['log'], args: [], now: null })).toEqual(['1'])
    expect(sent).toEqual(['EVALSHA', 'EVAL'])
  })
})
