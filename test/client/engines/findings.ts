/**
 * What browsers once did to the client: each is a case here, in every engine that can do it. What an
 * engine cannot do is said where it is left out.
 */
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Tab } from './engine.ts'
import {
  callFrom,
  createGate,
  type PageGlobals,
  readSignOuts,
  type Scene,
  signIn,
  until,
  type Visitor,
  visit,
  waitFor,
} from './visitor.ts'

const readLogin = (tab: Tab): Promise<string | null> =>
  tab.evaluate(() => (globalThis as unknown as PageGlobals).auth.state.login)

/** A login that is not this client's. */
const signInPlainly = (tab: Tab, username: string): Promise<void> =>
  tab.evaluate(async (name) => {
    const body = JSON.stringify({ username: name, password: name, delivery: 'cookie' })
    await fetch('/auth/login', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })
  }, username)

const refresh = (tab: Tab): Promise<string> =>
  tab.evaluate(() =>
    (globalThis as unknown as PageGlobals).auth.refresh().then(
      () => 'refreshed',
      (error) => error.code,
    ),
  )

/** Defines them. */
export function describeFindings(scene: Scene): void {
  describe('never in the name of another user', () => describeOwnership(scene))
  describe('believes only the responses of its server', () => describeAnswers(scene))
  describe('where the browser refuses', () => describeRefusals(scene))
  it('a worker of a signed-in page is signed in', async () => {
    const visitor = await scene.come()
    const [tab] = await visitor.openSignedIn(1)
    await tab!.evaluate(() => {
      const { Worker, messages } = globalThis as unknown as PageGlobals & {
        Worker: new (url: string, options: object) => { onmessage: (event: { data: unknown }) => void }
      }
      new Worker('/tab/worker.js', { type: 'module' }).onmessage = ({ data }) => messages.push(data)
    })
    await waitFor(tab!, () => (globalThis as unknown as PageGlobals).messages.length > 0)
    const [message] = await tab!.evaluate(() => (globalThis as unknown as PageGlobals).messages)
    // Without a body the route refuses what it is asked, not who asks.
    expect(message).toEqual(['signed-in', 200, 400])
  })
}

function describeOwnership({ engine, come }: Scene): void {
  it.each(['a tab that it cannot reach', 'a plain request'])(
    'who signed in by %s, and shows that one when it comes back',
    async (by) => {
      const visitor = await come()
      const alone = { without: ['BroadcastChannel'] } as const
      const [tab] = await visitor.openSignedIn(1, alone)
      const first = await readLogin(tab!)
      if (by === 'a plain request') await signInPlainly(tab!, 'admin')
      else await signIn(await visitor.open(alone), 'admin')
      const before = visitor.count('/change-password')
      expect(await callFrom(tab!, '/change-password', { method: 'POST' })).toEqual(['signed_out'])
      expect(visitor.count('/change-password')).toBe(before)
      const second = await readLogin(tab!)
      expect(second).not.toBe(first)
      // The other way round, and now the page only comes back.
      await signInPlainly(tab!, 'test')
      await tab!.evaluate(() => {
        const { dispatchEvent, PageTransitionEvent } = globalThis as unknown as {
          dispatchEvent(event: Event): void
          PageTransitionEvent: new (type: string, init: { persisted: boolean }) => Event
        }
        dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))
      })
      await waitFor(
        tab!,
        (login) => (globalThis as unknown as PageGlobals).auth.state.login !== login,
        second,
      )
      expect(await callFrom(tab!, '/protected')).toEqual([200])
      expect(await readSignOuts([tab!])).toEqual([[]])
    },
  )

  // Playwright switches the back/forward cache of Chromium off.
  if (engine.name !== 'Chromium')
    it.each(['another login', 'a logout'])(
      'when the back/forward cache restores a page after %s',
      async (what) => {
        const visitor = await come()
        const [tab] = await visitor.openSignedIn(1)
        const first = await readLogin(tab!)
        await tab!.evaluate(() => void Object.assign(globalThis, { mark: true }))
        await tab!.navigate(`${visitor.url}/tab/other`)
        const other = await visitor.open()
        if (what === 'a logout')
          await other.evaluate(() => (globalThis as unknown as PageGlobals).auth.logout())
        else await signIn(other, 'admin')
        await tab!.back()
        await waitFor(tab!, () => 'auth' in globalThis)
        const isRestored = await tab!.evaluate(() => 'mark' in globalThis)
        // Firefox drops a page that a message comes for, and loads it again.
        if (engine.name === 'WebKit') expect(isRestored).toBe(true)
        if (isRestored && what === 'another login') {
          expect(await callFrom(tab!, '/change-password', { method: 'POST' })).toEqual(['signed_out'])
          expect(visitor.count('/change-password')).toBe(0)
        }
        if (what === 'a logout') await until(tab!, 'signed-out')
        else expect([null, first]).not.toContain(await readLogin(tab!))
      },
    )
}

function describeAnswers({ come }: Scene): void {
  /** The next request for the path gets this response. */
  const respondOnce = (
    visitor: Visitor,
    path: string,
    status: number,
    init: { body?: string; headers?: Record<string, string> },
  ): void => {
    let isDone = false
    visitor.fault = (seen) => {
      if (seen.path !== path || isDone) return undefined
      isDone = true
      return { status, ...init }
    }
  }

  it('the page of a portal signs no one out', async () => {
    const visitor = await come()
    const tabs = await visitor.openSignedIn(2)
    const html = { headers: { 'Content-Type': 'text/html' }, body: '<h1>Welcome to our hotel</h1>' }
    respondOnce(visitor, '/auth/logout', 200, html)
    const code = await tabs[0]!.evaluate(() =>
      (globalThis as unknown as PageGlobals).auth.logout().then(String, (error) => error.code),
    )
    expect(code).toBe('response_invalid')
    expect(await callFrom(tabs[1]!, '/protected')).toEqual([200])
    expect(await readSignOuts(tabs)).toEqual([[], []])
  })

  it.each([
    ['a code of its own', { body: '{"code":"UNAUTHENTICATED"}' }],
    ['a challenge', { headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' }, body: 'no' }],
  ])('a gateway that refuses the refresh with %s ends no session', async (_, init) => {
    const visitor = await come()
    const tabs = await visitor.openSignedIn(2)
    respondOnce(visitor, '/auth/refresh', 401, init)
    expect(await refresh(tabs[0]!)).not.toBe('refreshed')
    expect(await refresh(tabs[0]!)).toBe('refreshed')
    expect(await readSignOuts(tabs)).toEqual([[], []])
  })

  it('a day of `Retry-After` is no reason not to ask when the user wants it', async () => {
    const visitor = await come()
    const [tab] = await visitor.openSignedIn(1)
    respondOnce(visitor, '/auth/refresh', 503, { headers: { 'Retry-After': '86400' } })
    expect(await refresh(tab!)).toBe('http_503')
    expect(await refresh(tab!)).toBe('refreshed')
  })

  it('responses that come too late for a while end no session', async () => {
    const visitor = await come()
    await visitor.openSignedIn(1)
    const tab = await visitor.open({ timeout: 0.4 })
    // The first one may be settled by what the other tab has announced.
    await refresh(tab)
    const gate = createGate()
    let held = 0
    visitor.fault = async ({ path }) => {
      if (path !== '/auth/refresh') return undefined
      if (++held <= 3) return gate.opened
      await new Promise((resolve) => setTimeout(resolve, 500))
      return undefined
    }
    expect(await refresh(tab)).toBe('unreachable')
    gate.open()
    // Now it waits longer each time, until the response arrives.
    await expect.poll(() => refresh(tab), { timeout: 10_000 }).toBe('refreshed')
    expect(await readSignOuts([tab])).toEqual([[]])
  })

  it('an aborted call does not wait for a refresh', async () => {
    const visitor = await come()
    const [tab] = await visitor.openSignedIn(1)
    const held = createGate()
    visitor.fault = ({ path }) => (path === '/auth/refresh' ? held.opened : undefined)
    await visitor.pass(16 * 60)
    const [name, waited] = await tab!.evaluate(async () => {
      const started = Date.now()
      const controller = new AbortController()
      setTimeout(() => controller.abort(), 100)
      const { auth } = globalThis as unknown as PageGlobals
      const outcome = await auth.fetch('/protected', { signal: controller.signal }).then(
        () => 'sent',
        (error) => error.name,
      )
      return [outcome, Date.now() - started] as const
    })
    held.open()
    expect(name).toBe('AbortError')
    expect(waited).toBeLessThan(2000)
    expect(await callFrom(tab!, '/protected')).toEqual([200])
  })
}

function describeRefusals({ engine, come }: Scene): void {
  it('cookies that it does not keep over HTTP are told at the login', async () => {
    const visitor = await come(false)
    // From this machine Chromium and Firefox take cookies for HTTPS, so they are removed here.
    visitor.refusesCookies = engine.takesSecureCookies
    const tab = await visitor.open()
    const login = await tab.evaluate(() =>
      (globalThis as unknown as PageGlobals).auth
        .login({ username: 'test', password: 'test' })
        .then(String, ({ code, cause }) => [code, cause]),
    )
    expect(login).toEqual(['cookies_refused', 'http'])
  })

  it('a frame of another site says why, and works without cookies', async () => {
    const [site, visitor] = [await come(), await come()]
    const tab = await visitor.open()
    await tab.evaluate((url) => {
      const { document } = globalThis as unknown as {
        document: { createElement(name: string): { src: string }; body: { append(node: unknown): void } }
      }
      document.body.append(Object.assign(document.createElement('iframe'), { src: url }))
    }, `${site.url}/tab/frame`)
    await waitFor(tab, () => (globalThis as unknown as PageGlobals).messages.length > 0)
    const [outcomes] = await tab.evaluate(() => (globalThis as unknown as PageGlobals).messages)
    expect(outcomes).toEqual([
      expect.stringMatching(/^AuthClientError cookies_refused (http|third-party)$/),
      200,
    ])
  })

  // Chromium under Playwright and WebKitGTK have no switch for it that a driver can turn.
  if (engine.name === 'Firefox')
    it('a user who blocks all cookies gets an error that says so, not a page that breaks', async () => {
      const strict = await engine.launch({ 'network.cookie.cookieBehavior': 2 })
      onTestFinished(() => strict.close())
      const visitor = await visit(engine, strict, (await come()).url)
      const tab = await visitor.open()
      const codes = await tab.evaluate(async () => {
        const { auth, createAuthClient } = globalThis as unknown as PageGlobals
        const credentials = { username: 'test', password: 'test' }
        const byCookie = await auth.login(credentials).then(String, (error) => error.code)
        const byBody = createAuthClient({ delivery: 'body' })
        await byBody.login(credentials)
        return [byCookie, (await byBody.fetch('/protected')).status]
      })
      expect(codes).toEqual(['cookies_refused', 200])
    })
}
