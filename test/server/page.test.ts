/**
 * The page in a real browser: what a visitor can do, the sessions of several devices, and the two
 * demos. No error on the console.
 */
import { describe, expect, it } from 'vitest'
import { CHROMIUM, countOf, signIn, useBrowser, waitForStates } from './browser.ts'
import { startServer } from './process.ts'

const REFRESH = 'POST /demo/auth/refresh'
/** Lifetimes of the page for tests that wait for an end, in the place of 15 s. */
const SHORT = { TOKENWRIGHT_ACCESS_EXPIRES_IN: '6s' }

describe.runIf(CHROMIUM !== undefined)('the page', () => {
  const open = useBrowser()

  it('leads a user from login through refusal and step-up to the sensitive route', async () => {
    const { url } = await startServer()
    const { page, errors } = await open(url)
    await signIn(page)
    await page.click('[data-route="/protected"]')
    await page.waitForSelector('#response:has-text("You have access")')
    await page.click('[data-route="/auth/refresh"]')
    await page.waitForSelector('#clock[data-state="stale"]')
    await page.click('[data-route="/sensitive_operation"]')
    await page.waitForSelector('#step-up[open]')
    await page.fill('#step-up-password', 'wrong')
    await page.click('#step-up-confirm')
    await page.waitForSelector('#step-up-problem:not(:empty)')
    await page.fill('#step-up-password', 'test')
    await page.click('#step-up-confirm')
    await page.waitForSelector('#response:has-text("You have access to this sensitive operation")')
    await page.waitForSelector('#clock[data-state="fresh"]')
    expect(await page.locator('.step[data-state="done"]').count()).toBe(5)
    expect(errors).toEqual([])
  })

  it('keeps the session over a reload, and the token from scripts', async () => {
    const { url } = await startServer()
    const { page, errors, sent } = await open(url)
    await signIn(page)
    await page.reload()
    await page.waitForSelector('#account:not([hidden])')
    await page.waitForSelector('#account-title:has-text("Signed in as test")')
    await page.click('[data-route="/protected"]')
    await page.waitForSelector('#response:has-text("You have access")')
    expect(countOf(sent, 'POST /demo/auth/login')).toBe(1)
    const readable = await page.evaluate<string>('document.cookie + JSON.stringify(localStorage)')
    expect(readable).toContain('csrf_token=')
    expect(readable).not.toMatch(/(?<![\w-])eyJ/)
    expect(errors).toEqual([])
  })

  it('shows the token that the browser has, without its signature', async () => {
    const { url } = await startServer()
    const { page } = await open(url)
    await signIn(page)
    const cookies = await page.context().cookies()
    const token = cookies.find(({ name }) => name === '__Host-access_token')
    expect(token?.httpOnly).toBe(true)
    const [header, claims, signature = ''] = token?.value.split('.') ?? []
    expect(await page.textContent('#raw')).toBe(`${header}.${claims}.signature`)
    expect(await page.content()).not.toContain(signature)
  })

  it('refreshes automatically once when the token has ended, and goes on', async () => {
    const { url } = await startServer(SHORT)
    const { page, errors, sent } = await open(url)
    await signIn(page)
    // What the clock has shown is remembered: on a busy machine a token of six seconds may have
    // ended again before this looks.
    const shown = ['expired']
    for (let round = 1; round <= 2; round++) {
      await waitForStates(page, shown)
      await page.click('[data-route="/admin"]')
      await page.waitForSelector('#response:has-text("does not list the right")')
      shown.push('stale')
      await waitForStates(page, shown)
      expect(countOf(sent, REFRESH)).toBe(round)
      shown.push('expired')
    }
    await page.waitForSelector('#journal :text("sent automatically")')
    expect(errors).toEqual([])
  })

  it('goes on after a cancelled step-up, and signs out by the button', async () => {
    const { url } = await startServer()
    const { page, errors } = await open(url)
    await signIn(page)
    await page.click('[data-route="/auth/refresh"]')
    await page.waitForSelector('#clock[data-state="stale"]')
    await page.click('[data-route="/sensitive_operation"]')
    await page.waitForSelector('#step-up[open]')
    await page.keyboard.press('Escape')
    await page.waitForSelector('#step-up:not([open])', { state: 'attached' })
    await page.waitForSelector('#response:has-text("Confirm that it is you, and you get a fresh one")')
    await page.click('[data-route="/protected"]')
    await page.waitForSelector('#response:has-text("You have access")')
    await page.click('#logout')
    await page.waitForSelector('#sign-in:not([hidden])')
    await page.waitForSelector('#response:has-text("You are signed out")')
    expect(await page.context().cookies()).toEqual([])
    expect(errors).toEqual([])
  })

  it('lists the sessions of both devices, and ends the other one', async () => {
    const { url } = await startServer()
    const [one, other] = [await open(url), await open(url)]
    await signIn(other.page)
    await signIn(one.page)
    await one.page.waitForSelector('.device >> nth=1')
    expect(await one.page.locator('.device').count()).toBe(2)
    expect(await one.page.locator('.device[data-current]').count()).toBe(1)
    const seen = await one.page.locator('.device-seen').allTextContents()
    const line = 'Last seen just now from 127.0.0.1, signed in just now'
    expect(seen).toEqual([line, line])
    await one.page.click('#sessions-others')
    await expect.poll(() => one.page.locator('.device').count()).toBe(1)
    await other.page.click('[data-route="/protected"]')
    await other.page.waitForSelector('#sign-in:not([hidden])')
    await other.page.waitForSelector('#response:has-text("This session is over")')
    expect([...one.errors, ...other.errors]).toEqual([])
  })

  it('makes one refresh for two tabs whose token has ended', async () => {
    const { url } = await startServer(SHORT)
    const { page, errors, sent } = await open(url)
    await signIn(page)
    await page.click('#tabs-play')
    await page.waitForSelector('#tabs-text:has-text("The token has ended")')
    await page.waitForSelector('#tabs-pair .side:last-child .badge:has-text("Expired")')
    await page.waitForSelector('#tabs-pair .side:first-child .badge:has-text("Expired")')
    await page.waitForSelector(
      '#tabs-text:has-text("Both tabs got their response, and the server saw one refresh")',
    )
    expect(countOf(sent, REFRESH)).toBe(1)
    expect(countOf(sent, 'GET /demo/protected')).toBe(2)
    const counted = await page.locator('.counter strong').allTextContents()
    expect(counted).toEqual(['2', '1'])
    expect(errors).toEqual([])
  })

  it('ends the session of a stolen token for both, and no other session', async () => {
    const { url } = await startServer()
    const { page, errors, sent } = await open(url)
    await signIn(page)
    await page.click('#theft-play')
    await page.waitForSelector('#theft-pair .badge:has-text("Has a copy")')
    await page.waitForSelector('#theft-pair .side:first-child .badge:has-text("Signed in")')
    const text = '#theft-text:has-text("The copy was worth nothing")'
    await page.waitForSelector(text, { timeout: 20_000 })
    expect(await page.locator('#theft-pair .badge').allTextContents()).toEqual(['Signed out', 'Refused'])
    expect(countOf(sent, REFRESH)).toBeGreaterThanOrEqual(3)
    await page.waitForSelector('#journal :text("by the thief")')
    await page.click('[data-route="/protected"]')
    await page.waitForSelector('#response:has-text("You have access")')
    expect(errors).toEqual([])
  })

  it('works without demo users, with the lifetimes of the server', async () => {
    const { url } = await startServer({ NODE_ENV: 'production' })
    const { page, errors, sent } = await open(url)
    expect(await page.isVisible('#demo-users')).toBe(false)
    expect(await page.isVisible('#theft-play')).toBe(false)
    await page.fill('#username', 'test')
    await page.fill('#password', 'test')
    await page.click('#sign-in-button')
    await page.waitForSelector('#sign-in-problem:has-text("Bad username or password")')
    expect(sent).toContain('POST /auth/login')
    expect(errors).toEqual([])
  })
})
