/**
 * The page in a real browser: the whole journey of a token, sessions on another device, and no
 * error on the console. Without Chromium, the tests are skipped with a message.
 */
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startServer } from './process.ts'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
if (CHROMIUM === undefined) console.error('\n!!! no Chromium on this machine: the page is SKIPPED\n')

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
]

describe.runIf(CHROMIUM !== undefined)('the page', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: ARGS })
  })
  afterAll(() => browser?.close())

  /**
   * Opens the page on a device of its own. `errors` receives all errors of the console, except
   * those of refused requests.
   */
  async function open(url: string, errors: string[]): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 390, height: 844 } })
    const page = await context.newPage()
    page.on('pageerror', (error) => errors.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 40[013]/.test(message.text())) errors.push(message.text())
    })
    await page.goto(url)
    return page
  }

  async function signIn(page: Page): Promise<void> {
    await page.fill('#username', 'test')
    await page.fill('#password', 'test')
    await page.click('#sign-in-button')
    await page.waitForSelector('#account:not([hidden])')
  }

  it('leads a user from login through refusal and step-up to the sensitive route', async () => {
    const errors: string[] = []
    const { url } = await startServer()
    const page = await open(url, errors)
    await signIn(page)
    await page.click('[data-route="/protected"]')
    await page.waitForSelector('#result:has-text("You have access")')
    await page.click('#refresh')
    await page.waitForSelector('#clock[data-state="stale"]')
    await page.click('[data-route="/sensitive_operation"]')
    await page.waitForSelector('#step-up[open]')
    await page.fill('#step-up-password', 'wrong')
    await page.click('#step-up-confirm')
    await page.waitForSelector('#step-up-problem:not(:empty)')
    await page.fill('#step-up-password', 'test')
    await page.click('#step-up-confirm')
    await page.waitForSelector('#result:has-text("You have access to this sensitive operation")')
    expect(await page.getAttribute('#clock', 'data-state')).toBe('fresh')
    expect(errors).toEqual([])
  })

  it('refreshes automatically once when the token has expired, and goes on', async () => {
    const errors: string[] = []
    const { url } = await startServer()
    const page = await open(url, errors)
    const asked: string[] = []
    page.on('request', (request) => asked.push(new URL(request.url()).pathname))
    await signIn(page)
    for (let round = 1; round <= 3; round++) {
      await page.click('#expire')
      await page.waitForSelector('#result:has-text("got a new one first")')
      await expect.poll(() => asked.filter((path) => path === '/auth/refresh').length).toBe(round)
      await page.click('[data-route="/admin"]')
      await page.waitForSelector('#result:has-text("does not have the scope admin:*")')
    }
    await page.waitForSelector('#journal :text("sent automatically")')
    expect(errors).toEqual([])
  })

  it('goes on after a cancelled step-up, and signs out by the button', async () => {
    const errors: string[] = []
    const { url } = await startServer()
    const page = await open(url, errors)
    await signIn(page)
    await page.click('#refresh')
    await page.waitForSelector('#clock[data-state="stale"]')
    await page.click('[data-route="/sensitive_operation"]')
    await page.waitForSelector('#step-up[open]')
    await page.keyboard.press('Escape')
    await page.waitForSelector('#step-up:not([open])', { state: 'attached' })
    await page.waitForSelector('#result:has-text("Confirm your password to get a fresh one")')
    await page.click('[data-route="/protected"]')
    await page.waitForSelector('#result:has-text("You have access")')
    await page.click('#logout')
    await page.waitForSelector('#sign-in:not([hidden])')
    await page.waitForSelector('#result:has-text("You are signed out")')
    expect(errors).toEqual([])
  })

  it('lists the sessions of both devices, and ends the other one', async () => {
    const errors: string[] = []
    const { url } = await startServer()
    const [one, other] = [await open(url, errors), await open(url, errors)]
    await signIn(other)
    await signIn(one)
    await one.waitForSelector('.device >> nth=1')
    expect(await one.locator('.device').count()).toBe(2)
    expect(await one.locator('.device[data-current]').count()).toBe(1)
    await one.click('#sessions-others')
    await expect.poll(() => one.locator('.device').count()).toBe(1)
    await other.click('[data-route="/protected"]')
    await other.waitForSelector('#sign-in:not([hidden])')
    await other.waitForSelector('#result:has-text("This session is over")')
    expect(errors).toEqual([])
  })

  it('shows that the previous refresh token works, and that an older one ends the session', async () => {
    const errors: string[] = []
    const { url } = await startServer({ TOKENWRIGHT_OVERLAP: '1s' })
    const page = await open(url, errors)
    await signIn(page)
    await page.click('#refresh')
    await page.click('#replay:not([disabled])')
    await page.waitForSelector('#result:has-text("You got the same new refresh token again")')
    expect(await page.isDisabled('#replay-older')).toBe(true)
    await page.waitForSelector('#replay-forecast:has-text("press Refresh again.")')
    await page.click('#refresh')
    await page.waitForSelector('#replay-forecast:has-text("looks like theft")')
    await page.click('#replay-older')
    await page.waitForSelector('#result:has-text("looks like theft")')
    await page.click('[data-route="/protected"]')
    await page.waitForSelector('#sign-in:not([hidden])')
    expect(errors).toEqual([])
  })
})
