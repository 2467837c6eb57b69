/**
 * Tabs of a real browser that run the built client. Its page and its modules are put under the address of the server that it
 * talks to; every other request goes over the wire. Without Chromium the tests say so and skip.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { onTestFinished } from 'vitest'
import type { AuthClient, AuthClientOptions, StepUpRequest } from '../../src/client.ts'
import { ROOT } from '../server/process.ts'

export const CHROMIUM: string | undefined = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find(existsSync)
if (CHROMIUM === undefined)
  console.error('\n!!! no Chromium on this machine: the client in a browser is SKIPPED\n')

/** What a tab has among its globals. */
export interface Tab {
  auth: AuthClient
  signedOut: string[]
  /** The step-ups that were asked for; `answer` settles the newest. */
  asked: StepUpRequest[]
  answer: (result: unknown) => void
}

/** Starts the browser. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM ?? '',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      // The page comes from no address at all, which counts as the public network, and may not go to this machine.
      '--disable-features=LocalNetworkAccessChecks',
    ],
  })
}

/** One user's browser, with as many tabs as it likes. */
export interface Visitor {
  readonly context: BrowserContext
  /** The requests of all tabs, as `METHOD /path`. */
  readonly wire: string[]
  /** Opens a tab; `localStorage` among the options stands for the page's own. */
  open(options?: Settings): Promise<Page>
  count(path: string): number
}

/** Options that a page can be told. */
export type Settings = Pick<AuthClientOptions, 'delivery' | 'timeout'> & { readonly storage?: 'localStorage' }

const PAGE = (
  settings: Settings,
): string => `<!doctype html><link rel="icon" href="data:,"><script type="module">
import { createAuthClient } from '/tab/client.js'
const { storage, ...settings } = ${JSON.stringify(settings)}
Object.assign(window, { signedOut: [], asked: [] })
window.auth = createAuthClient({
  ...settings,
  ...(storage && { storage: localStorage }),
  onSignedOut: (reason) => window.signedOut.push(reason),
  onStepUp: (request) => new Promise((resolve) => {
    window.asked.push(request)
    window.answer = resolve
  }),
})
</script>`

/** Opens a browser of a new user on a server. */
export async function visit(browser: Browser, url: string): Promise<Visitor> {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  const wire: string[] = []
  context.on('request', (request) => wire.push(`${request.method()} ${new URL(request.url()).pathname}`))
  await context.route(`${url}/tab/**`, (route) => {
    const { pathname, searchParams } = new URL(route.request().url())
    const settings = searchParams.get('settings')
    if (settings !== null)
      return route.fulfill({ contentType: 'text/html', body: PAGE(JSON.parse(settings)) })
    const file = join(ROOT, 'dist/src', pathname.replace('/tab/', ''))
    return route.fulfill({ contentType: 'text/javascript', body: readFileSync(file, 'utf8') })
  })
  return {
    context,
    wire,
    count: (path) => wire.filter((line) => line.endsWith(` ${path}`)).length,
    async open(settings = {}) {
      const page = await context.newPage()
      await page.goto(`${url}/tab/?settings=${encodeURIComponent(JSON.stringify(settings))}`)
      await page.waitForFunction(() => (globalThis as unknown as Tab).auth !== undefined)
      return page
    },
  }
}

/** Signs a tab in. */
export async function signIn(page: Page, username = 'test'): Promise<void> {
  await page.evaluate(
    (name) => (globalThis as unknown as Tab).auth.login({ username: name, password: name }),
    username,
  )
}

/** Calls a route from a tab several times at once; answers the statuses, or the codes of the rejections. */
export function callFrom(page: Page, path: string, times = 1, method = 'GET'): Promise<(number | string)[]> {
  return page.evaluate(
    ([route, count, verb]) =>
      Promise.all(
        Array.from({ length: count }, () =>
          (globalThis as unknown as Tab).auth.fetch(route, { method: verb }).then(
            (response) => response.status,
            (error) => error.code ?? String(error),
          ),
        ),
      ),
    [path, times, method] as const,
  )
}

/** Waits until a tab is in a state. */
export async function until(page: Page, status: 'signed-in' | 'signed-out'): Promise<void> {
  await page.waitForFunction((wanted) => (globalThis as unknown as Tab).auth.state.status === wanted, status)
}
