/** One user's browser on a server: tabs that run the built client, and what a test does in them. */
import { onTestFinished } from 'vitest'
import type { AuthClient, AuthClientOptions, ClientSessions, StepUpRequest } from '../../../src/client.ts'
import type { Browser, Engine, Tab } from './engine.ts'
import { type Front, startFront } from './front.ts'

/** What a page has among its globals. */
export interface PageGlobals {
  auth: AuthClient
  createAuthClient: (options: AuthClientOptions) => AuthClient
  createSessionList: (auth: AuthClient) => ClientSessions
  signedOut: string[]
  /** The step-ups that were asked for; `answer` settles the newest. */
  asked: StepUpRequest[]
  answer: (result: unknown) => void
  /** How far the page's clock is ahead, in seconds. */
  skew: number
  /** What came from frames and workers. */
  messages: unknown[]
}

/** Options that a page can be told. */
export type Settings = Pick<AuthClientOptions, 'delivery' | 'timeout' | 'baseUrl'> & {
  readonly storage?: 'localStorage'
  /** The parts of the platform that are not there. */
  readonly without?: readonly ('BroadcastChannel' | 'locks')[]
}

export interface Visitor extends Front {
  /** Opens a tab. */
  open(settings?: Settings): Promise<Tab>
  /** Opens tabs, the first of which signs in. */
  openSignedIn(count: number, settings?: Settings): Promise<Tab[]>
  /** Moves the clock of all pages, open and later ones. Their timers go on by the real clock. */
  pass(seconds: number): Promise<void>
}

/** What the cases work with. */
export interface Scene {
  readonly engine: Engine
  readonly browser: () => Browser
  /** A visitor of the shared reference server. */
  readonly come: (isSecure?: boolean) => Promise<Visitor>
}

const PAGE = (settings: Settings, skew: number): string => `<!doctype html>
<link rel="icon" href="data:,">
<script>
Object.assign(window, { signedOut: [], asked: [], messages: [], skew: ${skew} })
addEventListener('message', ({ data }) => messages.push(data))
</script>
<script type="module">
import { createAuthClient, createSessionList } from '/tab/client.js'
const { storage, without = [], ...settings } = ${JSON.stringify(settings)}
const missing = { BroadcastChannel: { open: undefined }, locks: { locks: undefined } }
const platform = { now: () => Date.now() / 1000 + skew }
Object.assign(window, { createAuthClient, createSessionList })
window.auth = createAuthClient({
  ...settings,
  platform: Object.assign(platform, ...without.map((name) => missing[name])),
  ...(storage && { storage: localStorage }),
  onSignedOut: (reason) => signedOut.push(reason),
  onStepUp: (request) => new Promise((resolve) => {
    asked.push(request)
    window.answer = resolve
  }),
})
</script>`

/** Tries to sign in, and tells what came of it. */
const FRAME = `<!doctype html>
<script type="module">
import { createAuthClient } from '/tab/client.js'
const outcomes = []
for (const delivery of ['cookie', 'body']) {
  try {
    const auth = createAuthClient({ delivery })
    await auth.login({ username: 'test', password: 'test' })
    outcomes.push((await auth.fetch('/protected')).status)
  } catch (error) {
    outcomes.push(error.name + ' ' + error.code + ' ' + error.cause)
  }
}
parent.postMessage(outcomes, '*')
</script>`

/** Uses the session of the page that started it. */
const WORKER = `
import { createAuthClient } from '/tab/client.js'
const auth = createAuthClient()
const { status } = await auth.ready
const get = await auth.fetch('/protected')
const post = await auth.fetch('/change-password', { method: 'POST' })
postMessage([status, get.status, post.status])`

/** Tabs that wait for the next test: to open one takes longer than most tests. */
const spare = new WeakMap<Browser, Tab[]>()

async function takeTab(browser: Browser): Promise<Tab> {
  return spare.get(browser)?.pop() ?? browser.open()
}

async function giveBack(browser: Browser, tab: Tab): Promise<void> {
  try {
    await tab.navigate('about:blank')
    spare.set(browser, [...(spare.get(browser) ?? []), tab])
  } catch {
    // The test has closed it.
  }
}

/** Opens a browser of a new user on a server. */
export async function visit(
  engine: Engine,
  browser: Browser,
  server: string,
  isSecure = !engine.takesSecureCookies,
): Promise<Visitor> {
  let skew = 0
  const tabs = new Set<Tab>()
  const front = await startFront(server, isSecure, (path, search) => {
    if (path === '/tab/frame') return FRAME
    if (path === '/tab/worker.js') return WORKER
    if (path === '/tab/other') return '<!doctype html><link rel="icon" href="data:,"><p>Another page'
    return path === '/tab/' ? PAGE(JSON.parse(search.get('settings') ?? '{}'), skew) : undefined
  })
  onTestFinished(async () => {
    await Promise.all([...tabs].map((tab) => giveBack(browser, tab)))
  })
  const open = async (settings: Settings = {}): Promise<Tab> => {
    const tab = await takeTab(browser)
    tabs.add(tab)
    await tab.navigate(`${front.url}/tab/?settings=${encodeURIComponent(JSON.stringify(settings))}`)
    await waitFor(tab, () => (globalThis as unknown as PageGlobals).auth !== undefined)
    return tab
  }
  return Object.assign(front, {
    open,
    async openSignedIn(count: number, settings: Settings = {}) {
      const opened = await Promise.all(Array.from({ length: count }, () => open(settings)))
      await signIn(opened[0] as Tab)
      await Promise.all(opened.map((tab) => until(tab, 'signed-in')))
      return opened
    },
    async pass(seconds: number) {
      skew += seconds
      const set = (ahead: number): void => {
        ;(globalThis as unknown as PageGlobals).skew = ahead
      }
      await Promise.all([...tabs].map((tab) => tab.evaluate(set, skew).catch(() => undefined)))
    },
  })
}

/** Signs a tab in. */
export async function signIn(tab: Tab, username = 'test', password: string = username): Promise<void> {
  await tab.evaluate(
    async (credentials) => void (await (globalThis as unknown as PageGlobals).auth.login(credentials)),
    { username, password },
  )
}

/** What calls from a tab are about. */
export interface CallOptions {
  readonly times?: number
  readonly method?: string
  /** When they are made, by the wall clock. */
  readonly at?: number
  /** How far the page's clock is ahead from now on, in seconds. */
  readonly skew?: number
}

/** Calls a route several times at once. Resolves to the statuses, or the codes of the rejections. */
export function callFrom(tab: Tab, path: string, options: CallOptions = {}): Promise<(number | string)[]> {
  return tab.evaluate(
    async ({ route, times = 1, method = 'GET', at = 0, skew }) => {
      if (skew !== undefined) Object.assign(globalThis, { skew })
      if (at > Date.now()) await new Promise((resolve) => setTimeout(resolve, at - Date.now()))
      const call = () =>
        (globalThis as unknown as PageGlobals).auth.fetch(route, { method }).then(
          (response) => response.status,
          (error) => error.code ?? String(error),
        )
      return Promise.all(Array.from({ length: times }, call))
    },
    { route: path, ...options },
  )
}

/** Calls a route from several tabs at the same moment. */
export async function callFromAll(
  tabs: readonly Tab[],
  path: string,
  options: CallOptions = {},
): Promise<(number | string)[]> {
  const at = Date.now() + 15 * tabs.length
  return (await Promise.all(tabs.map((tab) => callFrom(tab, path, { ...options, at })))).flat()
}

/** Waits until a condition holds in a tab, ten seconds at most. */
export async function waitFor<A = null>(
  tab: Tab,
  condition: (argument: A) => boolean,
  argument?: A,
): Promise<void> {
  const end = Date.now() + 10_000
  while (!(await tab.evaluate(condition, argument as A))) {
    if (Date.now() > end) throw new Error(`not in time: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
}

/** Waits until a tab is in a state. */
export function until(tab: Tab, status: 'signed-in' | 'signed-out'): Promise<void> {
  return waitFor(
    tab,
    (wanted) => (globalThis as unknown as Partial<PageGlobals>).auth?.state.status === wanted,
    status,
  )
}

/** What `onSignedOut` was called with. */
export async function readSignOuts(tabs: readonly Tab[]): Promise<string[][]> {
  return Promise.all(tabs.map((tab) => tab.evaluate(() => (globalThis as unknown as PageGlobals).signedOut)))
}

/** What waits until it is opened. */
export function createGate(): { readonly opened: Promise<undefined>; readonly open: () => void } {
  let open = (): void => undefined
  const opened = new Promise<undefined>((resolve) => {
    open = () => resolve(undefined)
  })
  return { opened, open }
}
