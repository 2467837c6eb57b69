/**
 * The client in a real browser, whichever it is: tabs that share one session, responses that are
 * lost, a tab that is killed, a laptop that slept, step-up and sign-out, against the built reference
 * server; and races, against a server whose clock the test moves. `npm run prove` goes more rounds.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningServer, spawnServer, startServer } from '../../server/process.ts'
import { startOrigin } from '../origin.ts'
import { type Browser, type Engine, isInstalled, type Tab } from './engine.ts'
import { describeFindings } from './findings.ts'
import {
  callFrom,
  callFromAll,
  createGate,
  type PageGlobals,
  readSignOuts,
  type Scene,
  type Settings,
  signIn,
  until,
  visit,
  waitFor,
} from './visitor.ts'

const PROVE = Boolean(process.env['TOKENWRIGHT_PROVE'])
/** Rounds with two tabs, and as many with four. */
const ROUNDS = PROVE ? 50 : 10

const WAYS: readonly { way: string; settings: Settings }[] = [
  { way: 'cookies', settings: {} },
  { way: 'memory and a storage', settings: { delivery: 'body', storage: 'localStorage' } },
]

const MODES = [
  { mode: 'cookies', options: {}, settings: {} },
  { mode: 'refresh by cookie, access in memory', options: { cookies: { carry: ['refresh'] } }, settings: {} },
  { mode: 'memory and a storage', options: {}, settings: { delivery: 'body', storage: 'localStorage' } },
] as const

/** Runs the whole suite in one engine. */
export function describeEngine(engine: Engine): void {
  describe.runIf(isInstalled(engine))(`the client in ${engine.name}`, () => {
    let browser: Browser
    let server: RunningServer
    let folder = ''
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'tokenwright-suite-'))
      ;[browser, server] = await Promise.all([engine.launch(), spawnServer({}, folder)])
    }, 60_000)
    afterAll(async () => {
      await Promise.all([browser?.close(), server?.stop('SIGKILL')])
      rmSync(folder, { recursive: true, force: true })
    })
    const scene: Scene = {
      engine,
      browser: () => browser,
      come: (isSecure) => visit(engine, browser, server.url, isSecure),
    }
    describeRaces(scene)
    describeFaults(scene)
    describeClocks(scene)
    describeStepUp(scene)
    describeSignOut(scene)
    describeBoundaries(scene)
    describeFindings(scene)
  })
}

function describeRaces({ engine, browser }: Scene): void {
  for (const { mode, options, settings } of MODES)
    it(`${2 * ROUNDS} races at the end of the token, tokens in ${mode}: no tab is signed out`, async () => {
      const origin = await startOrigin(options)
      const visitor = await visit(engine, browser(), origin.url)
      const tabs: Tab[] = []
      let skew = 0
      for (const count of [2, 4]) {
        while (tabs.length < count) tabs.push(await visitor.open(settings))
        if (count === 2) await signIn(tabs[0]!, 'ada', 'right')
        await Promise.all(tabs.map((tab) => until(tab, 'signed-in')))
        for (let round = 1; round <= ROUNDS; round++) {
          const before = visitor.count('/auth/refresh')
          origin.now += 101
          skew += 101
          const calls = callFromAll(tabs, '/protected', { times: 5, skew })
          expect(await calls).toEqual(Array(5 * count).fill(200))
          const refreshes = visitor.count('/auth/refresh') - before
          // Firefox may grant the lock before it lists the one that announces the message.
          const most = engine.name === 'Firefox' ? count : 1
          expect(refreshes, `${count} tabs, round ${round}`).toBeGreaterThanOrEqual(1)
          expect(refreshes, `${count} tabs, round ${round}`).toBeLessThanOrEqual(most)
        }
      }
      expect(await readSignOuts(tabs)).toEqual(Array(4).fill([]))
    }, 120_000)

  it('a race of tabs without locks and channels signs no one out', async () => {
    const origin = await startOrigin()
    const visitor = await visit(engine, browser(), origin.url)
    const tabs = await Promise.all(
      [1, 2, 3].map(() => visitor.open({ without: ['BroadcastChannel', 'locks'] })),
    )
    await signIn(tabs[0]!, 'ada', 'right')
    await Promise.all(tabs.map((tab) => until(tab, 'signed-in')))
    for (let round = 1; round <= 3; round++) {
      origin.now += 101
      await visitor.pass(101)
      expect(await callFromAll(tabs, '/protected', { times: 5 })).toEqual(Array(15).fill(200))
    }
    expect(await readSignOuts(tabs)).toEqual(Array(3).fill([]))
  })

  if (PROVE)
    it('twenty tabs with fifty calls: one refresh, and a sign-out that all see (REF-16)', async () => {
      const origin = await startOrigin()
      const visitor = await visit(engine, browser(), origin.url)
      const tabs = await Promise.all(Array.from({ length: 20 }, () => visitor.open()))
      await signIn(tabs[0]!, 'ada', 'right')
      await Promise.all(tabs.map((tab) => until(tab, 'signed-in')))
      origin.now += 101
      await visitor.pass(101)
      const statuses = await callFromAll(tabs, '/protected', { times: 50 })
      expect(statuses).toEqual(Array(1000).fill(200))
      if (engine.name !== 'Firefox') expect(visitor.count('/auth/refresh')).toBe(1)
      await tabs[7]!.evaluate(() => (globalThis as unknown as PageGlobals).auth.logout())
      await Promise.all(tabs.map((tab) => until(tab, 'signed-out')))
      expect((await readSignOuts(tabs)).flat()).toEqual(Array(20).fill('logout'))
    }, 120_000)
}

function describeFaults({ come }: Scene): void {
  for (const { way, settings } of WAYS) {
    it(`a lost refresh response costs nothing, tokens in ${way}`, async () => {
      const visitor = await come()
      const [one, two] = await visitor.openSignedIn(2, settings)
      for (let round = 0; round < (PROVE ? 20 : 2); round++) {
        await visitor.pass(16 * 60)
        let lost = 0
        visitor.fault = ({ path }) => (path === '/auth/refresh' && lost++ === 0 ? 'lost' : undefined)
        expect(await callFrom(one!, '/protected', { times: 3 })).toEqual([200, 200, 200])
        expect(lost).toBeGreaterThan(1)
        expect(await callFrom(two!, '/protected')).toEqual([200])
      }
      expect(await readSignOuts([one!, two!])).toEqual([[], []])
    }, 60_000)

    it(`a tab that is killed in the middle of a refresh stops no other, tokens in ${way}`, async () => {
      const visitor = await come()
      const [one, two] = await visitor.openSignedIn(2, settings)
      await visitor.pass(16 * 60)
      const held = createGate()
      const released = createGate()
      visitor.fault = ({ path }) => {
        if (path !== '/auth/refresh') return undefined
        held.open()
        return released.opened
      }
      void callFrom(one!, '/protected').catch(() => undefined)
      await held.opened
      const call = callFrom(two!, '/protected')
      await one!.close()
      released.open()
      expect(await call).toEqual([200])
      expect(await readSignOuts([two!])).toEqual([[]])
    }, 60_000)
  }
}

function describeClocks({ engine, browser, come }: Scene): void {
  it('a page that is loaded again is signed in at once, and refreshes nothing', async () => {
    const visitor = await come()
    const [tab] = await visitor.openSignedIn(1)
    await tab!.navigate(`${visitor.url}/tab/?settings=${encodeURIComponent('{}')}&again`)
    await until(tab!, 'signed-in')
    expect(await callFrom(tab!, '/sensitive_operation')).toEqual([200])
    expect(visitor.count('/auth/refresh')).toBe(0)
  })

  it('a laptop that slept for a night wakes up signed in', async () => {
    const visitor = await come()
    const tabs = await visitor.openSignedIn(2)
    await visitor.pass(8 * 3600)
    expect(await callFromAll(tabs, '/protected', { times: 3 })).toEqual(Array(6).fill(200))
    if (engine.name !== 'Firefox') expect(visitor.count('/auth/refresh')).toBe(1)
  })

  it.each([-86_400, 86_400])('a clock that is wrong by %i s makes no difference', async (wrong) => {
    const origin = await startOrigin()
    const visitor = await visit(engine, browser(), origin.url)
    await visitor.pass(wrong)
    const tab = await visitor.open()
    await signIn(tab, 'ada', 'right')
    expect(await callFrom(tab, '/protected', { times: 3 })).toEqual([200, 200, 200])
    expect(visitor.count('/auth/refresh')).toBe(0)
    origin.now += 101
    await visitor.pass(101)
    expect(await callFrom(tab, '/protected', { times: 3 })).toEqual([200, 200, 200])
    expect(visitor.count('/auth/refresh')).toBe(1)
  })
}

function describeStepUp({ come }: Scene): void {
  async function startAsking() {
    const visitor = await come()
    const [tab] = await visitor.openSignedIn(1)
    await tab!.evaluate(() => (globalThis as unknown as PageGlobals).auth.refresh())
    const calls = callFrom(tab!, '/sensitive_operation', { times: 5 })
    await waitFor(tab!, () => (globalThis as unknown as PageGlobals).asked.length > 0)
    return { tab: tab!, calls }
  }

  it('asks for one step-up for five sensitive calls, and goes on with them', async () => {
    const { tab, calls } = await startAsking()
    const wrong = await tab.evaluate(() =>
      (globalThis as unknown as PageGlobals).auth.stepUp('wrong').catch((error) => error.code),
    )
    expect(wrong).toBe('credentials_invalid')
    await tab.evaluate(() => (globalThis as unknown as PageGlobals).auth.stepUp('test'))
    expect(await calls).toEqual(Array(5).fill(200))
    const asked = await tab.evaluate(() =>
      (globalThis as unknown as PageGlobals).asked.map(({ maxAge, signal }) => [maxAge, signal.aborted]),
    )
    expect(asked).toEqual([[900, true]])
  })

  it('tells all five when the step-up is cancelled', async () => {
    const { tab, calls } = await startAsking()
    await tab.evaluate(() => (globalThis as unknown as PageGlobals).answer(false))
    expect(await calls).toEqual(Array(5).fill('step_up_cancelled'))
    expect(await tab.evaluate(() => (globalThis as unknown as PageGlobals).asked.length)).toBe(1)
    expect(await callFrom(tab, '/protected')).toEqual([200])
  })
}

function describeSignOut({ come }: Scene): void {
  it('signs out in all tabs at once, and once in each', async () => {
    const visitor = await come()
    const tabs = await visitor.openSignedIn(4)
    await tabs[1]!.evaluate(() => (globalThis as unknown as PageGlobals).auth.logout())
    await Promise.all(tabs.map((tab) => until(tab, 'signed-out')))
    expect(await readSignOuts(tabs)).toEqual(Array(4).fill(['logout']))
    expect(await callFrom(tabs[3]!, '/protected')).toEqual([401])
  })

  it('is signed out by a session that was ended elsewhere', async () => {
    const [visitor, other] = [await come(), await come()]
    const tabs = await visitor.openSignedIn(3)
    const [elsewhere] = await other.openSignedIn(1)
    await elsewhere!.evaluate(() => {
      const { auth, createSessionList } = globalThis as unknown as PageGlobals
      return createSessionList(auth).endOthers()
    })
    // What a revocation takes to be known everywhere: a second at most.
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(await callFrom(tabs[0]!, '/protected', { times: 5 })).toEqual(Array(5).fill('signed_out'))
    await Promise.all(tabs.map((tab) => until(tab, 'signed-out')))
    expect(await readSignOuts(tabs)).toEqual(Array(3).fill(['session_revoked']))
    expect(await callFrom(elsewhere!, '/protected')).toEqual([200])
  })

  it('a logout in a tab that it cannot reach is seen by its storage', async () => {
    const visitor = await come()
    const tabs = await visitor.openSignedIn(2, { without: ['BroadcastChannel'] })
    await tabs[1]!.evaluate(() => (globalThis as unknown as PageGlobals).auth.logout())
    await Promise.all(tabs.map((tab) => until(tab, 'signed-out')))
    expect(await readSignOuts(tabs)).toEqual([['logout'], ['logout']])
  })
}

function describeBoundaries({ engine, browser, come }: Scene): void {
  it('tokens in cookies are seen by no script, and unsafe requests send the CSRF value', async () => {
    const { url } = await startServer()
    const visitor = await visit(engine, browser(), url)
    const [tab] = await visitor.openSignedIn(1)
    const readable = await tab!.evaluate(() => {
      const { document, localStorage } = globalThis as unknown as {
        document: { cookie: string }
        localStorage: Record<string, string>
      }
      return JSON.stringify([document.cookie, { ...localStorage }])
    })
    expect(readable).toContain('__Host-csrf_token=')
    expect(readable).not.toMatch(/eyJ|__Host-(access|refresh)/)
    expect(await tab!.evaluate(() => (globalThis as unknown as PageGlobals).auth.getToken())).toBeNull()
    const statuses = await tab!.evaluate(async () => {
      const init = {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{"new_password":"test test test"}',
      }
      const bare = await fetch('/change-password', init)
      const ours = await (globalThis as unknown as PageGlobals).auth.fetch('/change-password', init)
      return [bare.status, ours.status]
    })
    expect(statuses).toEqual([403, 200])
  })

  it('a token does not follow a redirect to another origin', async () => {
    const [visitor, foreign] = [await come(), await come()]
    const seen: unknown[] = []
    foreign.fault = ({ method, headers }) => {
      if (method !== 'OPTIONS') seen.push(headers['authorization'])
      const allowed = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*' }
      return { status: 200, headers: allowed, body: '{}' }
    }
    visitor.fault = ({ path }) =>
      path === '/away' ? { status: 307, headers: { Location: `${foreign.url}/` } } : undefined
    const [tab] = await visitor.openSignedIn(1, { delivery: 'body' })
    expect(await callFrom(tab!, '/protected')).toEqual([200])
    expect(await callFrom(tab!, '/away')).toEqual([200])
    expect(await callFrom(tab!, `${foreign.url}/`)).toEqual([200])
    expect(seen).toEqual([undefined, undefined])
  })
}
