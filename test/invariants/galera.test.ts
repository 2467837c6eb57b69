/**
 * MariaDB Galera with writers on all three nodes: a node that is behind, conflicts at the commit, a
 * node that is killed, one that is cut off from the others. No acknowledged write is lost, none is
 * carried out twice, and no user is signed out.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Kysely, MysqlDialect } from 'kysely'
import { createPool } from 'mysql2'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Store } from '../../src/session/store.ts'
import { migrateSql, sqlStore, withDeadlines } from '../../src/stores/sql.ts'
import { type Galera, type GaleraNode, HAS_GALERA, startGalera } from '../stores/galera.ts'
import { waitFor } from '../stores/redis-server.ts'
import { tally, toCall, toDraft, together } from '../stores/sql-databases.ts'
import { type Application, createApplication } from './application.ts'
import { type Balancer, startBalancer } from './balancer.ts'
import { type Crowd, startCrowd } from './crowd.ts'
import { report } from './size.ts'

const ENDING = { logTtl: 900, now: null } as const

describe.skipIf(!HAS_GALERA)('Galera', () => {
  let galera: Galera
  let balancer: Balancer
  /** A store on each node, and one on all of them in turn. */
  let stores: readonly [Store, Store, Store]
  let spread: Store
  /** How often a commit has met a conflict. */
  let conflicts = 0
  const closing: (() => Promise<unknown>)[] = []

  function open(port: number): Store {
    const pool = createPool({
      host: '127.0.0.1',
      port,
      user: 'root',
      database: 'sessions',
      connectionLimit: 12,
    })
    pool.on('connection', (connection) => {
      const query = connection.query.bind(connection) as (...args: unknown[]) => unknown
      Object.assign(connection, {
        query(...args: unknown[]) {
          const callback = args.at(-1)
          if (args[0] !== 'commit' || typeof callback !== 'function') return query(...args)
          return query(args[0], (error: unknown, result: unknown) => {
            if (Object(error).errno === 1213) conflicts += 1
            callback(error, result)
          })
        },
      })
    })
    // biome-ignore lint/suspicious/noExplicitAny: tables of no declared type
    const db = new Kysely<any>({ dialect: new MysqlDialect({ pool: withDeadlines(pool) }) })
    closing.push(() => db.destroy())
    return sqlStore(db, { deadline: '10s' })
  }

  beforeAll(async () => {
    galera = await startGalera()
    const [first] = galera.nodes
    await first.ask('create database sessions')
    await first.ask('create table sessions.blocker (id int primary key auto_increment)')
    const pool = createPool({ host: '127.0.0.1', port: first.port, user: 'root', database: 'sessions' })
    // biome-ignore lint/suspicious/noExplicitAny: tables of no declared type
    const db = new Kysely<any>({ dialect: new MysqlDialect({ pool }) })
    await migrateSql(db)
    await db.destroy()
    for (const { ask } of galera.nodes) await ask('set statement wsrep_sync_wait = 7 for select 1')
    balancer = await startBalancer(...galera.nodes.map(({ port }) => port))
    const [a, b, c] = galera.nodes
    stores = [open(a.port), open(b.port), open(c.port)]
    spread = open(balancer.port)
  }, 90_000)
  afterAll(async () => {
    await Promise.all(closing.map((close) => close().catch(() => undefined)))
    await balancer?.close()
    await galera?.close()
  })

  describe('a node that has not applied yet what another one has acknowledged', () => {
    /** Does something on the second node while that is behind, and lets it catch up. */
    async function behind<T>(before: () => Promise<unknown>, work: (store: Store) => Promise<T>): Promise<T> {
      const [, node] = galera.nodes
      const [first] = galera.nodes
      // A node applies all in one order, so what comes after a change that waits for a lock waits too.
      await node.ask('lock tables sessions.blocker write')
      await first.ask('insert into sessions.blocker values ()')
      await before()
      const result = work(stores[1])
      await pause(150)
      await node.ask('unlock tables')
      return result
    }

    it('knows a session that has just started', async () => {
      const draft = toDraft()
      const rotation = await behind(
        () => stores[0].start(draft, null),
        (store) => store.rotate(toCall(draft.sid, 0)),
      )
      expect(rotation).toMatchObject({ word: 'rotated', row: { gen: 1 } })
    })
    it('ends a session that has just started', async () => {
      const draft = toDraft()
      expect(
        await behind(
          () => stores[0].start(draft, null),
          (store) => store.end(draft.sid, 'ended', ENDING),
        ),
      ).toBe(true)
      expect((await stores[2].get(draft.sid))?.revokedAt).not.toBeNull()
    })
    it('knows of a revocation', async () => {
      const { sid, sub } = toDraft()
      await stores[0].start(toDraft({ sid, sub }), null)
      const query = { sid, jti: null, sub, realm: null, iat: null, now: null }
      expect(
        await behind(
          () => stores[0].end(sid, 'ended', ENDING),
          (store) => store.isRevoked(query),
        ),
      ).toBe(true)
    })
    it('shows no log that went back', async () => {
      const { cursor } = await stores[0].readLog(null, 1000)
      let at = cursor
      const page = await behind(
        async () => {
          await stores[0].revokeToken('jti', (await stores[0].now()) + 900, null)
          at = (await stores[0].readLog(cursor, 1000)).cursor
        },
        (store) => store.readLog(at, 1000),
      )
      expect(page).toMatchObject({ entries: [] })
      expect(page.restarted ?? false).toBe(false)
    })
  })

  it('carries out what met a conflict at the commit, and once', async () => {
    const { sid } = toDraft()
    await stores[0].start(toDraft({ sid }), null)
    const on = (i: number): Store => stores[i % 3] as Store
    const words = (await together(60, (i) => on(i).rotate(toCall(sid, 0)))).map(({ word }) => word)
    expect(tally(words)).toEqual({ rotated: 1, replayed: 59 })

    const counts = (await together(60, (i) => on(i).countAttempt('key', 1000, 60, null))).map(
      ({ count }) => count,
    )
    expect(counts.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))

    const { cursor } = await stores[2].readLog(null, 1000)
    const drafts = Array.from({ length: 60 }, () => toDraft())
    await together(60, (i) => on(i).start(drafts[i] ?? toDraft(), null))
    expect(new Set(await together(60, (i) => on(i + 1).end(drafts[i]?.sid ?? '', 'ended', ENDING)))).toEqual(
      new Set([true]),
    )
    const { entries } = await stores[2].readLog(cursor, 1000)
    expect(entries.map(({ key }) => key).sort()).toEqual(drafts.map((draft) => draft.sid).sort())

    const owner = { sub: 'limited', realm: null }
    const limit = { count: 3, refuses: false, logTtl: 900 }
    await together(24, (i) => on(i).startLimited(toDraft(owner), limit, null))
    expect(await spread.list(owner, null)).toHaveLength(3)
    report('Galera', 'three writers', `${conflicts} commits met a conflict`)
    expect(conflicts).toBeGreaterThan(0)
  }, 30_000)

  /** What must hold after a failure that clients went through. */
  async function expectKept(app: Application, crowd: Crowd, name: string, begun: number): Promise<void> {
    const { codes, gap, failedAt } = await crowd.stop()
    const healed = Math.max(0, failedAt - begun) / 1000
    report(
      'Galera',
      name,
      `healed after ${healed.toFixed(1)} s, no success for ${gap.toFixed(1)} s, ${JSON.stringify(codes)}`,
    )
    expect(Object.keys(codes).filter((code) => code !== 'ok' && code !== 'store_unavailable')).toEqual([])
    const fresh = createApplication(spread, { ownClock: false })
    expect(crowd.signedOut().length).toBeGreaterThan(0)
    const judged = await Promise.all(crowd.signedOut().map((token) => fresh.judge(token)))
    expect(tally(judged)).toEqual({ token_revoked: judged.length })
    const refreshed = await Promise.all(
      crowd.signedIn().map(async (token) => (await fresh.refresh(token)).code),
    )
    expect(tally(refreshed)).toEqual({ ok: refreshed.length })
    expect([app.events['reused'] ?? 0, app.events['shadowed'] ?? 0]).toEqual([0, 0])
  }

  async function hasNodes({ ask }: GaleraNode, count: number): Promise<boolean> {
    const [row] = await ask("show global status like 'wsrep_cluster_size'")
    return row?.['Value'] === String(count)
  }

  async function fail(
    name: string,
    how: (node: GaleraNode) => Promise<void>,
    until?: () => Promise<void>,
  ): Promise<void> {
    const app = createApplication(spread, { ownClock: false, sessions: { overlap: 1 } })
    const crowd = await startCrowd(app, 20)
    onTestFinished(() => void crowd.stop())
    await crowd.recovered()
    const begun = performance.now()
    const [first, failing] = galera.nodes
    await how(failing)
    await waitFor(() => hasNodes(first, 2), 40)
    await until?.()
    await crowd.recovered()
    await pause(500)
    await expectKept(app, crowd, name, begun)
  }

  it('S27: loses nothing to a node that is cut off, and asks it no more', async () => {
    const [, node] = galera.nodes
    const isOut = async (): Promise<boolean> =>
      (await node.ask('select * from sessions.blocker').catch(({ errno }) => errno)) === 1047
    await fail(
      'one of three cut off',
      () => node.cut(),
      () => waitFor(isOut, 20),
    )
    await node.heal()
  }, 120_000)

  it('S27: loses nothing to a node that is killed', async () => {
    const [, node] = galera.nodes
    await waitFor(
      () =>
        node.ask('select * from sessions.blocker').then(
          () => true,
          () => false,
        ),
      40,
    )
    await fail('one of three killed', (killed) => killed.kill())
  }, 120_000)

  it('S27: loses nothing to a killed node that comes back, which then serves', async () => {
    const [first, node] = galera.nodes
    const app = createApplication(spread, { ownClock: false, sessions: { overlap: 1 } })
    const crowd = await startCrowd(app, 20)
    onTestFinished(() => void crowd.stop())
    await crowd.recovered()
    const begun = performance.now()
    await node.restart()
    const back = (performance.now() - begun) / 1000
    await waitFor(() => hasNodes(first, 3), 40)
    await crowd.recovered()
    await expectKept(app, crowd, `a killed one comes back after ${back.toFixed(1)} s`, begun)
    // By itself too. Connections from before its end are left.
    const there = createApplication(stores[1], { ownClock: false })
    await waitFor(() => stores[1].now().then(Boolean, () => false))
    const judged = await Promise.all(crowd.signedOut().map((token) => there.judge(token)))
    expect(tally(judged)).toEqual({ token_revoked: judged.length })
    const { access_token, refresh_token } = await there.login()
    expect(await app.judge(access_token)).toBe('ok')
    expect((await there.refresh(refresh_token)).code).toBe('ok')
    await app.auth.sessions.end(app.sidOf(refresh_token))
    expect(await there.judge(access_token)).toBe('token_revoked')
  }, 120_000)

  it('says what the nodes are not configured for', async () => {
    const [node] = galera.nodes
    const inspect = () => stores[0].inspect()
    expect(await inspect()).toEqual([])
    onTestFinished(async () => {
      await node.ask('set global wsrep_dirty_reads = 0')
      await node.ask("set global wsrep_provider_options = 'pc.ignore_sb=false'")
    })
    await node.ask('set global wsrep_dirty_reads = 1')
    expect(await inspect()).toEqual([expect.stringContaining('wsrep_dirty_reads')])
    await node.ask("set global wsrep_provider_options = 'pc.ignore_sb=true'")
    expect(await inspect()).toEqual([
      expect.stringContaining('pc.ignore_sb'),
      expect.stringContaining('wsrep_dirty_reads'),
    ])
  })
})
