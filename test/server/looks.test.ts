/**
 * How the page looks and reads in a real browser: nothing moves by itself, nothing is wider than
 * the screen, and axe finds nothing in any state, in light and in dark.
 */
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { CHROMIUM, findViolations, overflowOf, shiftOf, signIn, useBrowser } from './browser.ts'
import { startServer } from './process.ts'

/** The sum of all layout shifts; 0.1 counts as good in general. */
const SHIFT = 0.02
const SIZES = [
  [390, 844],
  [820, 1180],
  [1280, 800],
] as const
/** So that a test can watch a token end. */
const SHORT = { TOKENWRIGHT_ACCESS_EXPIRES_IN: '6s', TOKENWRIGHT_FRESHNESS_WINDOW: '5s' }

/** The texts of the steps that are wider than their place, and where the steps are. */
interface Steps {
  readonly cut: readonly string[]
  readonly boxes: readonly { readonly left: number; readonly right: number; readonly top: number }[]
}

function measureSteps(page: Page): Promise<Steps> {
  return page.evaluate<Steps>(`({
    cut: [...document.querySelectorAll('.step')]
      .filter((step) => step.scrollWidth > step.clientWidth)
      .map((step) => step.textContent),
    boxes: [...document.querySelectorAll('.step')].map((step) => step.getBoundingClientRect().toJSON()),
  })`)
}

/** Goes through all states of the page, and checks each. */
async function visitStates(page: Page, check: (state: string) => Promise<void>): Promise<void> {
  await check('signed out')
  await page.fill('#password', 'wrong')
  await page.click('#sign-in-button')
  await page.waitForSelector('#sign-in-problem:not(:empty)')
  await check('wrong password')
  await page.fill('#password', 'test')
  await signIn(page)
  await check('signed in')
  await page.click('[data-route="/admin"]')
  await page.waitForSelector('#response[data-tone="bad"]')
  await check('refused')
  await page.click('[data-route="/change-password"]')
  await check('new password')
  await page.click('[data-route="/auth/refresh"]')
  await page.waitForSelector('#response:has-text("You have a new access token")')
  await page.click('[data-route="/sensitive_operation"]')
  await page.waitForSelector('#step-up[open]')
  await check('dialog')
  await page.keyboard.press('Escape')
  await page.waitForSelector('#response:has-text("Confirm that it is you")')
  await page.click('#tabs-play')
  await page.click('#theft-play')
  await page.waitForSelector('#theft-pair .badge:has-text("Has a copy")')
  await check('demos')
  await page.click('.entry summary')
  await check('log')
  await page.waitForSelector('#theft-text:has-text("The copy was worth nothing")', { timeout: 20_000 })
  await page.waitForSelector('#clock[data-state="expired"]')
  await check('after the demos')
  await page.click('#logout')
  await page.waitForSelector('#sign-in:not([hidden])')
  await check('signed out again')
}

describe.runIf(CHROMIUM !== undefined)('the page', () => {
  const open = useBrowser()

  it.each(SIZES)('does not move by itself at %d px, nor when it is reloaded', async (width, height) => {
    const { url } = await startServer(SHORT)
    const { page } = await open(url, { viewport: { width, height } })
    await page.waitForSelector('#server[data-state="up"]')
    await signIn(page)
    await page.click('[data-route="/protected"]')
    await page.waitForSelector('#response:has-text("You have access")')
    await page.waitForSelector('#clock[data-state="expired"]')
    expect(await shiftOf(page)).toBeLessThan(SHIFT)
    // On a slow network the page is drawn before its scripts have come.
    await page.route('**/*.js', (route) => setTimeout(() => void route.continue(), 100))
    await page.reload()
    await page.waitForSelector('#account-title:has-text("Signed in as test")')
    await page.waitForSelector('.device')
    expect(await shiftOf(page)).toBeLessThan(SHIFT)
    // The check itself sees what moves.
    await page.evaluate("document.querySelector('main').style.paddingTop = '200px'")
    await expect.poll(() => shiftOf(page)).toBeGreaterThan(SHIFT)
  })

  it.each([320, 390, 640, 820, 959, 960, 1280])('is not wider than %d px', async (width) => {
    const { url } = await startServer()
    const { page } = await open(url, { viewport: { width, height: 844 } })
    expect(await overflowOf(page)).toBe(0)
    await signIn(page)
    await page.click('[data-route="/admin"]')
    await page.waitForSelector('#response[data-tone="bad"]')
    expect(await overflowOf(page)).toBe(0)
  })

  it('shows each step whole, from a phone to a desktop', async () => {
    const { url } = await startServer()
    const { page } = await open(url)
    for (const width of [360, 390, 639, 640, 700, 768, 820, 900, 959, 960, 1280]) {
      await page.setViewportSize({ width, height: 844 })
      const { cut, boxes } = await measureSteps(page)
      expect([width, cut]).toEqual([width, []])
      expect(boxes.length).toBe(5)
      expect(new Set(boxes.map(({ top }) => top)).size).toBe(1)
      expect(boxes[0]?.left).toBeGreaterThanOrEqual(0)
      expect(boxes[4]?.right).toBeLessThanOrEqual(width)
    }
    // The check itself sees a name that is cut.
    await page.evaluate("document.querySelector('.step-name').textContent = 'Unbreakable'.repeat(9)")
    expect((await measureSteps(page)).cut.length).toBe(1)
  })

  it('shows bars, badges and what is selected in forced colors', async () => {
    const { url } = await startServer()
    const { page } = await open(url, { forcedColors: 'active' })
    await signIn(page)
    const styleOf = (selector: string, pseudo = '') =>
      page.evaluate<{ border: string; outline: string; background: string }>(
        `(({ borderTopWidth: border, outlineStyle: outline, backgroundColor: background }) =>
          ({ border, outline, background }))(getComputedStyle(document.querySelector('${selector}'), '${pseudo}'))`,
      )
    const canvas = (await styleOf('body')).background
    expect((await styleOf('#clock .bar')).border).toBe('1px')
    expect((await styleOf('#clock .bar', '::before')).background).not.toBe(canvas)
    expect((await styleOf('#token-state')).border).toBe('1px')
    expect((await styleOf('.request[data-selected]')).outline).toBe('solid')
    expect((await styleOf('.request:not([data-selected])')).outline).toBe('none')
  })

  it('draws no motion for those who want none', async () => {
    const { url } = await startServer()
    const { page } = await open(url, { reducedMotion: 'reduce' })
    const durations = await page.evaluate<string[]>(
      "[...document.querySelectorAll('*')].flatMap((one) => ['', '::before'].map((part) => getComputedStyle(one, part))).map(({ transitionDuration, animationName, scrollBehavior }) => [transitionDuration, animationName, scrollBehavior].join(' '))",
    )
    expect([...new Set(durations)]).toEqual(['0s none auto'])
  })

  it('has the token in the first view of a phone', async () => {
    const { url } = await startServer()
    const { page } = await open(url)
    await signIn(page)
    await page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    const box = await page.locator('#raw').boundingBox()
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThan(844)
  })

  it.each(['light', 'dark'] as const)(
    'has nothing that axe objects to, in %s',
    async (colorScheme) => {
      const { url } = await startServer(SHORT)
      const { page } = await open(url, { colorScheme, bypassCSP: true })
      const found: Record<string, string[]> = {}
      await visitStates(page, async (state) => {
        found[state] = await findViolations(page)
      })
      const states = Object.keys(found)
      expect(states.length).toBe(10)
      expect(found).toEqual(Object.fromEntries(states.map((state) => [state, []])))
      // The check itself finds a field without a label.
      await page.evaluate("document.querySelector('label > span').remove()")
      expect(await findViolations(page)).toEqual(['label: #username'])
    },
    60_000,
  )
})
