/**
 * A real browser for the tests of the pages. Without Chromium, they are skipped with a message.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'

/** Where Chromium is; undefined without one. */
export const CHROMIUM: string | undefined = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find(existsSync)
if (CHROMIUM === undefined) console.error('\n!!! no Chromium on this machine: the pages are SKIPPED\n')

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
]

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** An open page. */
export interface OpenPage {
  readonly page: Page
  /** The errors of the console, without those of refused requests. */
  readonly errors: readonly string[]
  /** The requests that it has sent, as `POST /demo/auth/refresh`. */
  readonly sent: readonly string[]
}

/** Launches the browser of a suite. Returns the function that opens a page on a device of its own. */
export function useBrowser(): (url: string, options?: BrowserContextOptions) => Promise<OpenPage> {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: ARGS })
  })
  afterAll(() => browser?.close())

  return async (url, options) => {
    const context = await browser.newContext({ viewport: { width: 390, height: 844 }, ...options })
    onTestFinished(() => context.close())
    const page = await context.newPage()
    const errors: string[] = []
    const sent: string[] = []
    page.on('pageerror', (error) => errors.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 40[013]/.test(message.text())) errors.push(message.text())
    })
    page.on('request', (request) => sent.push(`${request.method()} ${new URL(request.url()).pathname}`))
    await page.addInitScript(OBSERVE)
    await page.goto(url)
    return { page, errors, sent }
  }
}

/** Signs the demo user in, whose password the form already has. */
export async function signIn(page: Page): Promise<void> {
  await page.click('#sign-in-button')
  await page.waitForSelector('#account:not([hidden])')
  await page.waitForSelector('#claims .claim[data-name="sub"] .value:has-text("test")')
}

/** How often a request was sent. */
export function countOf(sent: readonly string[], request: string): number {
  return sent.filter((entry) => entry === request).length
}

/** Waits until the token's clock has shown these states one after another, some time since the load. */
export async function waitForStates(page: Page, states: readonly string[]): Promise<void> {
  const read = () => page.evaluate<string>("states.join(' ')")
  await expect.poll(read, { timeout: 30_000 }).toContain(states.join(' '))
}

/** The sum of the layout shifts since the page was loaded, but those right after an input. */
export function shiftOf(page: Page): Promise<number> {
  return page.evaluate<number>('shift')
}

const OBSERVE = `
  globalThis.states = []
  new MutationObserver(() => {
    const state = document.getElementById('clock')?.dataset.state
    if (state && state !== states.at(-1)) states.push(state)
  }).observe(document, { subtree: true, attributeFilter: ['data-state'] })
  globalThis.shift = 0
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) shift += entry.value
  }).observe({ type: 'layout-shift', buffered: true })
`

/** What axe objects to, as `rule: element`. */
export async function findViolations(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  return page.evaluate<string[]>(`axe.run().then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ': ' + target.join(' '))))`)
}

/** By how many pixels the page is wider than its place. */
export function overflowOf(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.body.clientWidth')
}
