/**
 * The client in Chromium against the built reference server: tabs that share one session, answers that are lost, a tab that is
 * killed, a laptop that slept, step-up and sign-out. `npm run prove` goes fifty rounds where `npm test` goes a few.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startRelay } from '../invariants/relay.ts'
import { startServer } from '../server/process.ts'
import { CHROMIUM, callFrom, launch, type Settings, signIn, type Tab, until, visit } from './chromium.ts'
import { startOrigin } from './origin.ts'

const PROVE = Boolean(process.env['TOKENWRIGHT_PROVE'])
const ROUNDS = PROVE ? 50 : 4
const WAYS: readonly { way: string; settings: Settings }[] = [
  { way: 'cookies', settings: {} },
  { way: 'memory and a storage', settings: { delivery: 'body', storage: 'localStorage' } },
]

describe.runIf(CHROMIUM !== undefined)('the client in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())

  /** A server, a visitor and tabs that are signed in. */
  async function start(tabs: number, settings: Settings = {}, env: Record<string, string> = {}) {
    const { url } = await startServer(env)
    return { url, ...(await enter(url, tabs, settings)) }
  }

  async function enter(url: string, tabs: number, settings: Settings = {}) {
    const visitor = await visit(browser, url)
    const pages = []
    for (let index = 0; index < tabs; index++) pages.push(await visitor.open(settings))
    await signIn(pages[0]!)
    for (const page of pages) await until(page, 'signed-in')
    return { visitor, pages }
  }

  const signOuts = (page: { evaluate: (run: () => string[]) => Promise<string[]> }) =>
    page.evaluate(() => (globalThis as unknown as Tab).signedOut)

  for (const { way, settings } of WAYS) {
    it.each([2, 4])(
      `%i tabs, tokens in ${way}: one refresh at each expiry, no tab signed out`,
      async (count) => {
        const { visitor, pages } = await start(count, settings)
        await visitor.context.clock.install()
        for (let round = 1; round <= ROUNDS; round++) {
          // By their clock the tokens of all tabs end at this moment; the server answers a refresh like any other.
          await visitor.context.clock.fastForward('16:00')
          const statuses = await Promise.all(pages.map((page) => callFrom(page, '/protected', 5)))
          expect(statuses.flat()).toEqual(Array(5 * count).fill(200))
          expect(visitor.count('/auth/refresh'), `round ${round}`).toBe(round)
        }
        expect(await Promise.all(pages.map(signOuts))).toEqual(Array(count).fill([]))
      },
      120_000,
    )
  }

  it('four tabs whose tokens really end at the server: one refresh each time', async () => {
    const { visitor, pages } = await start(4, {}, { TOKENWRIGHT_ACCESS: '8s' })
    for (let round = 1; round <= (PROVE ? 10 : 1); round++) {
      await pages[0]!.waitForFunction(
        () => Date.now() / 1000 > ((globalThis as unknown as Tab).auth.state.expiresAt ?? 0) + 0.1,
      )
      const statuses = await Promise.all(pages.map((page) => callFrom(page, '/protected', 5, 'GET')))
      expect(statuses.flat()).toEqual(Array(20).fill(200))
      expect(visitor.count('/auth/refresh')).toBe(round)
    }
  }, 180_000)

  it('tokens in cookies are seen by no script, and unsafe requests send the CSRF value', async () => {
    const { pages } = await start(1)
    const [page] = pages
    const readable = await page!.evaluate(() => {
      const { document, localStorage } = globalThis as unknown as {
        document: { cookie: string }
        localStorage: Record<string, string>
      }
      return JSON.stringify([document.cookie, { ...localStorage }])
    })
    expect(readable).toContain('__Host-csrf_token=')
    expect(readable).not.toMatch(/eyJ|__Host-(access|refresh)/)
    expect(await page!.evaluate(() => (globalThis as unknown as Tab).auth.getToken())).toBeNull()
    const post = {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"new_password":"test test test"}',
    }
    const bare = await page!.evaluate(async (init) => (await fetch('/change-password', init)).status, post)
    expect(bare).toBe(403)
    const ours = await page!.evaluate(
      async (init) => (await (globalThis as unknown as Tab).auth.fetch('/change-password', init)).status,
      post,
    )
    expect(ours).toBe(200)
  })

  it('a page that is loaded again is signed in at once, and refreshes nothing', async () => {
    const { visitor, pages } = await start(1)
    const [page] = pages
    await page!.reload()
    await until(page!, 'signed-in')
    expect(await callFrom(page!, '/sensitive_operation')).toEqual([200])
    expect(visitor.count('/auth/refresh')).toBe(0)
  })

  for (const { way, settings } of WAYS) {
    it(`a lost refresh response costs nothing, tokens in ${way}`, async () => {
      const { port } = await startServer()
      const relay = await startRelay(port)
      onTestFinished(() => relay.close())
      const { visitor, pages } = await enter(`http://127.0.0.1:${relay.port}`, 2, settings)
      const [one, two] = pages
      await visitor.context.clock.install()
      for (let round = 0; round < (PROVE ? 20 : 2); round++) {
        await visitor.context.clock.fastForward('16:00')
        relay.cutAt(0, 'answered')
        const call = callFrom(one!, '/protected', 3)
        // The pause before the second try is a timer of the page.
        const pushed = visitor.context.clock.fastForward('00:02')
        expect(await call).toEqual([200, 200, 200])
        await pushed
        expect(relay.disarm()).toBe(true)
        expect(await callFrom(two!, '/protected')).toEqual([200])
      }
      expect([...(await signOuts(one!)), ...(await signOuts(two!))]).toEqual([])
    }, 60_000)

    it(`a tab that is killed in the middle of a refresh stops no other, tokens in ${way}`, async () => {
      const { port } = await startServer()
      const relay = await startRelay(port)
      onTestFinished(() => relay.close())
      const { visitor, pages } = await enter(`http://127.0.0.1:${relay.port}`, 2, settings)
      const [one, two] = pages
      await visitor.context.clock.install()
      await visitor.context.clock.fastForward('16:00')
      relay.delay(1)
      const asked = visitor.context.waitForEvent('request', (request) =>
        request.url().endsWith('/auth/refresh'),
      )
      void callFrom(one!, '/protected').catch(() => undefined)
      await asked
      const call = callFrom(two!, '/protected')
      await one!.close()
      relay.delay(0)
      expect(await call).toEqual([200])
      expect(await signOuts(two!)).toEqual([])
    }, 60_000)
  }

  it('a laptop that slept for a night wakes up signed in', async () => {
    const { visitor, pages } = await start(2)
    await visitor.context.clock.install()
    await visitor.context.clock.fastForward('08:00:00')
    expect((await Promise.all(pages.map((page) => callFrom(page, '/protected', 3)))).flat()).toEqual(
      Array(6).fill(200),
    )
    expect(visitor.count('/auth/refresh')).toBe(1)
  })

  it('a clock that is wrong by a day makes no difference', async () => {
    const { url } = await startServer({ TOKENWRIGHT_ACCESS: '8s' })
    const tryWith = async (wrong: number) => {
      const visitor = await visit(browser, url)
      await visitor.context.clock.install({ time: Date.now() + wrong * 1000 })
      const page = await visitor.open()
      await signIn(page)
      const before = [...(await callFrom(page, '/protected', 3)), visitor.count('/auth/refresh')]
      await page.waitForTimeout(8200)
      const after = [...(await callFrom(page, '/protected', 3)), visitor.count('/auth/refresh')]
      return [before, after]
    }
    const results = await Promise.all([-86_400, 86_400].map(tryWith))
    const wanted = [
      [200, 200, 200, 0],
      [200, 200, 200, 1],
    ]
    expect(results).toEqual([wanted, wanted])
  }, 60_000)

  it('asks for one step-up for five sensitive calls, and goes on with them', async () => {
    const { pages } = await start(1)
    const [page] = pages
    await page!.evaluate(() => (globalThis as unknown as Tab).auth.refresh())
    const calls = callFrom(page!, '/sensitive_operation', 5)
    await page!.waitForFunction(() => (globalThis as unknown as Tab).asked.length > 0)
    const wrong = await page!.evaluate(() =>
      (globalThis as unknown as Tab).auth.stepUp('wrong').catch((error) => error.code),
    )
    expect(wrong).toBe('credentials_invalid')
    await page!.evaluate(() => (globalThis as unknown as Tab).auth.stepUp('test'))
    expect(await calls).toEqual(Array(5).fill(200))
    const asked = await page!.evaluate(() =>
      (globalThis as unknown as Tab).asked.map(({ maxAge, signal }) => [maxAge, signal.aborted]),
    )
    expect(asked).toEqual([[900, true]])
  })

  it('tells all five when the step-up is cancelled', async () => {
    const { pages } = await start(1)
    const [page] = pages
    await page!.evaluate(() => (globalThis as unknown as Tab).auth.refresh())
    const calls = callFrom(page!, '/sensitive_operation', 5)
    await page!.waitForFunction(() => (globalThis as unknown as Tab).asked.length > 0)
    await page!.evaluate(() => (globalThis as unknown as Tab).answer(false))
    expect(await calls).toEqual(Array(5).fill('step_up_cancelled'))
    expect(await page!.evaluate(() => (globalThis as unknown as Tab).asked.length)).toBe(1)
    expect(await callFrom(page!, '/protected')).toEqual([200])
  })

  it('signs out in all tabs at once, and once in each', async () => {
    const { pages, url } = await start(4)
    await pages[1]!.evaluate(() => (globalThis as unknown as Tab).auth.logout())
    for (const page of pages) await until(page, 'signed-out')
    expect(await Promise.all(pages.map(signOuts))).toEqual(Array(4).fill(['logout']))
    expect(await callFrom(pages[3]!, '/protected')).toEqual([401])
    expect((await fetch(`${url}/protected`)).status).toBe(401)
  })

  it('is signed out by a session that was ended elsewhere', async () => {
    const { pages, url } = await start(3)
    const other = await visit(browser, url)
    const elsewhere = await other.open()
    await signIn(elsewhere)
    await elsewhere.evaluate(() => (globalThis as unknown as Tab).auth.sessions.endOthers())
    // What a revocation takes to be known everywhere: a second at most.
    await pages[0]!.waitForTimeout(1000)
    expect(await callFrom(pages[0]!, '/protected', 5)).toEqual(Array(5).fill('signed_out'))
    for (const page of pages) await until(page, 'signed-out')
    expect(await Promise.all(pages.map(signOuts))).toEqual(Array(3).fill(['session_revoked']))
    expect(await callFrom(elsewhere, '/protected')).toEqual([200])
  })

  it('a token does not follow a redirect to another origin', async () => {
    const seen: (string | undefined)[] = []
    const foreign = createServer((request, response) => {
      if (request.method !== 'OPTIONS') seen.push(request.headers.authorization)
      response
        .writeHead(200, { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*' })
        .end('{}')
    })
    await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void foreign.close())
    const target = `http://127.0.0.1:${(foreign.address() as AddressInfo).port}/`
    const origin = await startOrigin()
    const visitor = await visit(browser, origin.url)
    const page = await visitor.open({ delivery: 'body' })
    await page.evaluate(() =>
      (globalThis as unknown as Tab).auth.login({ username: 'ada', password: 'right' }),
    )
    origin.fault = ({ url }) => (url.endsWith('/away') ? Response.redirect(target, 307) : undefined)
    expect(await callFrom(page, '/protected')).toEqual([200])
    expect(await callFrom(page, '/away')).toEqual([200])
    expect(await callFrom(page, target)).toEqual([200])
    expect(seen).toEqual([undefined, undefined])
  })

  it.each(['a tab that it cannot reach', 'a plain request'])(
    'acts for no other user who signed in by %s, and shows that one when it comes back',
    async (by) => {
      const { url } = await startServer()
      const visitor = await visit(browser, url)
      await visitor.context.addInitScript(() => {
        Object.assign(globalThis, { BroadcastChannel: undefined })
      })
      const page = await visitor.open()
      await signIn(page)
      const first = await page.evaluate(() => (globalThis as unknown as Tab).auth.state.login)
      if (by === 'a plain request')
        await page.evaluate(async () => {
          const body = JSON.stringify({ username: 'admin', password: 'admin', delivery: 'cookie' })
          await fetch('/auth/login', {
            method: 'POST',
            body,
            headers: { 'Content-Type': 'application/json' },
          })
        })
      else await signIn(await visitor.open(), 'admin')
      const before = visitor.count('/change-password')
      expect(await callFrom(page, '/change-password', 1, 'POST')).toEqual(['signed_out'])
      expect(visitor.count('/change-password')).toBe(before)
      const second = await page.evaluate(() => (globalThis as unknown as Tab).auth.state.login)
      expect(second).not.toBe(first)
      // The other way round, and now the page only comes back.
      await page.evaluate(async () => {
        const body = JSON.stringify({ username: 'test', password: 'test', delivery: 'cookie' })
        await fetch('/auth/login', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })
        const { dispatchEvent, PageTransitionEvent } = globalThis as unknown as {
          dispatchEvent(event: Event): void
          PageTransitionEvent: new (type: string, init: { persisted: boolean }) => Event
        }
        dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))
      })
      await page.waitForFunction((login) => (globalThis as unknown as Tab).auth.state.login !== login, second)
      expect(await callFrom(page, '/protected')).toEqual([200])
      expect(await signOuts(page)).toEqual([])
    },
  )

  it('a logout in a tab that it cannot reach is seen by its storage', async () => {
    const { url } = await startServer()
    const visitor = await visit(browser, url)
    await visitor.context.addInitScript(() => {
      Object.assign(globalThis, { BroadcastChannel: undefined })
    })
    const pages = [await visitor.open(), await visitor.open()]
    await signIn(pages[0]!)
    for (const page of pages) await until(page, 'signed-in')
    await pages[1]!.evaluate(() => (globalThis as unknown as Tab).auth.logout())
    for (const page of pages) await until(page, 'signed-out')
    expect(await Promise.all(pages.map(signOuts))).toEqual([['logout'], ['logout']])
  })

  it('cookies that the browser blocks are told at the login', async () => {
    const { url } = await startServer()
    const visitor = await visit(browser, url)
    const page = await visitor.open()
    // Over HTTP no browser takes cookies for HTTPS, but from this machine; so they are dropped here.
    await visitor.context.route(`${url}/auth/login`, async (route) => {
      const response = await route.fetch()
      await visitor.context.clearCookies()
      const headers = Object.fromEntries(
        Object.entries(response.headers()).filter(([name]) => name !== 'set-cookie'),
      )
      await route.fulfill({ status: response.status(), headers, body: await response.text() })
      await visitor.context.clearCookies()
    })
    const login = page.evaluate(() =>
      (globalThis as unknown as Tab).auth
        .login({ username: 'test', password: 'test' })
        .then(String, ({ code, cause }) => [code, cause]),
    )
    expect(await login).toEqual(['cookies_refused', 'http'])
  })

  if (PROVE)
    it('twenty tabs with fifty calls: one refresh, and a sign-out that all see (REF-16)', async () => {
      const { visitor, pages } = await start(20)
      await visitor.context.clock.install()
      await visitor.context.clock.fastForward('16:00')
      const statuses = await Promise.all(pages.map((page) => callFrom(page, '/protected', 50)))
      expect(statuses.flat()).toEqual(Array(1000).fill(200))
      expect(visitor.count('/auth/refresh')).toBe(1)
      expect(visitor.count('/protected')).toBe(1000)
      await pages[7]!.evaluate(() => (globalThis as unknown as Tab).auth.logout())
      for (const page of pages) await until(page, 'signed-out')
      expect((await Promise.all(pages.map(signOuts))).flat()).toEqual(Array(20).fill('logout'))
    }, 120_000)
})
