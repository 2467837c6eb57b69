/**
 * The tabs of a real browser, with `tokenwright/client`: many concurrent requests with an expired
 * token, a refresh route that is down or unreachable, and a session that has ended. Needs Chromium.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import type { AuthClient } from 'tokenwright/client'
import type { Attacker } from './attacker.ts'
import type { JsonObject } from './cases.ts'
import { LIBRARY } from './root.ts'
import { TIMES, USERS } from './target.ts'
import { Absent, countOf } from './values.ts'

/** The sentences that the step checks. */
export const TAB_SENTENCES = {
  once: '/refresh calls == 1',
  all: 'all 50 requests succeed once',
  patient: '503/offline does not log out',
  over: '401 logs out every tab once',
} as const

/** The globals of a tab. */
interface Tab {
  readonly auth: AuthClient
  readonly signedOut: readonly string[]
}

const ROUTE = '/auth/refresh'

const PAGE = `<!doctype html><link rel="icon" href="data:,"><script type="module">
import { createAuthClient } from '/tab/client.js'
window.signedOut = []
window.auth = createAuthClient({ onSignedOut: (reason) => window.signedOut.push(reason) })
</script>`

function findChromium(): string {
  const found = ['chromium', 'chromium-browser', 'google-chrome']
    .map((name) => `/usr/bin/${name}`)
    .find(existsSync)
  if (found === undefined) throw new Absent('there is no Chromium on this machine')
  return found
}

/** Opens tabs. The page and the client come from here, and all else from the application. */
async function openTabs(context: BrowserContext, url: string, count: number): Promise<Page[]> {
  await context.route(`${url}/tab/**`, (route) => {
    const { pathname } = new URL(route.request().url())
    if (pathname === '/tab/') return route.fulfill({ contentType: 'text/html', body: PAGE })
    const file = join(LIBRARY, 'dist/esm', pathname.replace('/tab/', ''))
    return route.fulfill({ contentType: 'text/javascript', body: readFileSync(file, 'utf8') })
  })
  const pages: Page[] = []
  for (let index = 0; index < count; index++) {
    const page = await context.newPage()
    await page.goto(`${url}/tab/`)
    pages.push(page)
  }
  return pages
}

/** Sends the requests of all tabs at once. Returns statuses, and codes of rejections. */
async function callAll(pages: readonly Page[], count: number): Promise<(string | number)[]> {
  const calls = pages.map((page) =>
    page.evaluate(
      (times) =>
        Promise.all(
          Array.from({ length: times }, () =>
            (globalThis as unknown as Tab).auth.fetch('/protected').then(
              ({ status }) => status,
              ({ code, name }) => String(code ?? name),
            ),
          ),
        ),
      count,
    ),
  )
  return (await Promise.all(calls)).flat()
}

async function readSignOuts(pages: readonly Page[]): Promise<string[][]> {
  return Promise.all(pages.map((page) => page.evaluate(() => [...(globalThis as unknown as Tab).signedOut])))
}

function tally(list: readonly (string | number)[]): string {
  const counts = new Map<string | number, number>()
  for (const item of list) counts.set(item, (counts.get(item) ?? 0) + 1)
  return [...counts].map(([item, count]) => `${count} x ${item}`).join(', ')
}

/** All tokens expire: there must be one refresh, and each request must succeed once. */
async function expire(pages: readonly Page[], requests: number, attacker: Attacker, sentPaths: string[]) {
  attacker.target.clock.advance((TIMES['access_ttl'] ?? 0) + 1)
  const [handled, sent] = [attacker.target.executions.length, sentPaths.length]
  const statuses = await callAll(pages, requests)
  const refreshes = sentPaths.slice(sent).filter((path) => path === ROUTE).length
  const executed = attacker.target.executions.length - handled
  const wanted = pages.length * requests
  const right = statuses.every((status) => status === 200) && executed === wanted
  attacker.record(TAB_SENTENCES.once, refreshes === 1, `${refreshes} refreshes`)
  attacker.record(TAB_SENTENCES.all, right, `${tally(statuses)}; the handler ran ${executed} times`)
}

/** Refreshes fail: no tab may sign out or loop, and all must work again afterwards. */
async function fail(
  context: BrowserContext,
  pages: readonly Page[],
  attacker: Attacker,
  sentPaths: string[],
) {
  const pattern = `**${ROUTE}`
  const failures: readonly (readonly [string, () => Promise<unknown>, () => Promise<void>, number])[] = [
    [
      'a 503',
      () =>
        context.route(pattern, (route) => route.fulfill({ status: 503, headers: { 'Retry-After': '1' } })),
      () => context.unroute(pattern),
      pages.length,
    ],
    // Without a response the client tries three times.
    ['no network', () => context.setOffline(true), () => context.setOffline(false), 3 * pages.length],
  ]
  for (const [what, begin, end, most] of failures) {
    attacker.target.clock.advance((TIMES['access_ttl'] ?? 0) + 1)
    await begin()
    const sent = sentPaths.length
    const refused = await callAll(pages, 2)
    const refreshes = sentPaths.slice(sent).filter((path) => path === ROUTE).length
    await end()
    const gone = (await readSignOuts(pages)).flat()
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const after = await callAll(pages, 1)
    const right =
      gone.length === 0 &&
      refreshes <= most &&
      !refused.includes(200) &&
      after.every((status) => status === 200)
    attacker.record(
      TAB_SENTENCES.patient,
      right,
      `${what}: ${gone.length} signed out, ${refreshes} refreshes, ${tally(refused)}, then ${tally(after)}`,
    )
  }
}

/** The session ends: each tab must be told once. */
async function end(pages: readonly Page[], attacker: Attacker) {
  await attacker.target.auth.revokeSubject('alice')
  const refused = await callAll(pages, 5)
  await Promise.all(
    pages.map((page) =>
      page.waitForFunction(() => (globalThis as unknown as Tab).signedOut.length > 0, { timeout: 5000 }),
    ),
  ).catch(() => undefined)
  const told = await readSignOuts(pages)
  const right = told.every(({ length }) => length === 1) && refused.every((code) => code !== 200)
  attacker.record(TAB_SENTENCES.over, right, `${JSON.stringify(told)}, ${tally(refused)}`)
}

/** The step `{ tabs, requests }`. */
export async function openBrowser(step: JsonObject, attacker: Attacker): Promise<void> {
  const [tabs, requests] = [countOf(step['tabs'], 'tabs', 50), countOf(step['requests'], 'requests', 1_000)]
  const browser = await chromium.launch({
    executablePath: findChromium(),
    args: ['--no-sandbox', '--disable-gpu'],
  })
  try {
    // This step ends all of Alice's sessions, so no earlier token stays valid.
    attacker.genuine.length = 0
    const context = await browser.newContext()
    const sentPaths: string[] = []
    context.on('request', (request) => sentPaths.push(new URL(request.url()).pathname))
    const pages = await openTabs(context, `http://127.0.0.1:${attacker.target.port}`, tabs)
    await pages[0]?.evaluate(
      (password) => (globalThis as unknown as Tab).auth.login({ username: 'alice', password }),
      USERS.get('alice') ?? '',
    )
    for (const page of pages)
      await page.waitForFunction(() => (globalThis as unknown as Tab).auth.state.status === 'signed-in')
    await expire(pages, requests, attacker, sentPaths)
    await fail(context, pages, attacker, sentPaths)
    await end(pages, attacker)
  } finally {
    await browser.close()
  }
}
