/**
 * The ways in and the devices of the page, in a real browser: passkeys with the virtual
 * authenticator of its debugging protocol, the second step, and a device that was someone else.
 */
import { TOTP } from 'otpauth'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { addAuthenticator } from '../examples/authenticator.ts'
import { CHROMIUM, findViolations, type OpenPage, overflowOf, signIn, useBrowser } from './browser.ts'
import { type RunningServer, startServer } from './process.ts'

/** The site by its name: browsers offer no passkeys for addresses. */
const siteOf = ({ url }: RunningServer): string => url.replace('127.0.0.1', 'localhost')

/** The id of the session, as the panel of the token shows it. */
const sidOf = (page: Page) => page.getAttribute('[data-name="sid"]', 'data-value')

/** What the page sends for a passkey. */
const MAKE_PROOF = `fetch('/passkeys/challenge', { method: 'POST' })
  .then((response) => response.json())
  .then(async ({ options, challenge }) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options)
    const passkey = await navigator.credentials.get({ publicKey })
    return { passkey: passkey.toJSON(), challenge }
  })`

const SENSITIVE = 'GET /demo/sensitive_operation'

/** Does something sensitive, and returns what was sent for it. */
async function doSensitive(
  { page, sent }: OpenPage,
  prove?: () => Promise<void>,
): Promise<readonly string[]> {
  const before = sent.length
  await page.click('[data-route="/sensitive_operation"]')
  await prove?.()
  await page.waitForSelector('#response:has-text("You have access to this sensitive operation")')
  return sent.slice(before).filter((line) => !/demo\/(token|account)$/.test(line))
}

async function refresh(page: Page): Promise<void> {
  await page.click('[data-route="/auth/refresh"]')
  await page.waitForSelector('#clock[data-state="stale"]')
}

async function logOut(page: Page): Promise<void> {
  await page.click('#logout')
  await page.waitForSelector('#sign-in:not([hidden])')
}

/** Switches the second step on. Returns the function that makes the code of a later period. */
async function switchOn(page: Page): Promise<(later: number) => string> {
  await page.click('#security-list button:has-text("Switch on")')
  await page.waitForSelector('#second-step[open] svg')
  expect(await findViolations(page)).toEqual([])
  const secret = (await page.textContent('#second-step-key'))?.replaceAll(' ', '') ?? ''
  const totp = new TOTP({ secret })
  const code = (later: number) => totp.generate({ timestamp: Date.now() + later * 30_000 })
  await page.fill('#second-step-code', code(0))
  await page.click('#second-step-form [type="submit"]')
  await page.waitForSelector('#recovery:not([hidden])')
  return code
}

describe.runIf(CHROMIUM !== undefined)('the ways in', () => {
  const open = useBrowser()

  it('signs in by a passkey, and steps up by it in the same session', async () => {
    const server = await startServer()
    const opened = await open(siteOf(server))
    const { page, errors } = opened
    const authenticator = await addAuthenticator(page)
    await signIn(page)
    await page.click('#security-list button:has-text("Add a passkey")')
    await page.waitForSelector('[data-passkey]')
    await logOut(page)
    await page.click('#passkey-button')
    await page.waitForSelector('#account-title:has-text("Signed in as test")')
    expect(await doSensitive(opened)).toEqual([SENSITIVE])
    const sid = await sidOf(page)
    await refresh(page)
    const sent = await doSensitive(opened, () => page.click('#step-up-passkey'))
    expect(sent).toEqual([SENSITIVE, 'POST /demo/passkeys/challenge', 'POST /demo/auth/step-up', SENSITIVE])
    expect(await sidOf(page)).toBe(sid)
    // Each challenge is spent once.
    const body = JSON.stringify(await page.evaluate(MAKE_PROOF))
    const headers = { 'content-type': 'application/json' }
    const logIn = () => fetch(`${siteOf(server)}/auth/login`, { method: 'POST', headers, body })
    expect([(await logIn()).status, (await logIn()).status]).toEqual([200, 401])
    // A device that has lost it says so, and the dialog stays for the password.
    await authenticator.clear()
    await refresh(page)
    await doSensitive(opened, async () => {
      await page.click('#step-up-passkey')
      await page.waitForSelector('#step-up-problem:has-text("No passkey was used")')
      await page.fill('#step-up-password', 'test')
      await page.click('#step-up-confirm')
    })
    await page.click('#security-list button:has-text("Remove")')
    await page.waitForSelector('[data-passkey]', { state: 'detached' })
    expect(errors).toEqual([])
  }, 40_000)

  it('asks for a code after the password, and steps up by a code in the same session', async () => {
    const server = await startServer()
    const opened = await open(siteOf(server), { bypassCSP: true })
    const { page, errors } = opened
    await signIn(page)
    const code = await switchOn(page)
    expect(await findViolations(page)).toEqual([])
    const recovery = await page.locator('#recovery-codes li').allTextContents()
    expect(new Set(recovery).size).toBe(8)
    expect(await page.textContent('#journal')).not.toContain(recovery[0])
    await page.click('#recovery-done')
    await page.waitForSelector('#security-list :text("Second step: on")')
    await logOut(page)
    await page.click('#sign-in-button')
    await page.waitForSelector('#second-proof:not([hidden])')
    expect(await overflowOf(page)).toBe(0)
    await page.fill('#second-proof-code', '000000')
    await page.keyboard.press('Enter')
    await page.waitForSelector('#second-proof-problem:not(:empty)')
    expect(await findViolations(page)).toEqual([])
    await page.fill('#second-proof-code', code(1))
    await page.keyboard.press('Enter')
    await page.waitForSelector('#account-title:has-text("Signed in as test")')
    expect(await doSensitive(opened)).toEqual([SENSITIVE])
    const sid = await sidOf(page)
    await refresh(page)
    const sent = await doSensitive(opened, async () => {
      await page.waitForSelector('#step-up[open] :text("Code of your app")')
      expect(await findViolations(page)).toEqual([])
      await page.fill('#step-up-password', recovery[0] ?? '')
      await page.keyboard.press('Enter')
    })
    expect(sent).toEqual([SENSITIVE, 'POST /demo/auth/step-up', SENSITIVE])
    expect(await sidOf(page)).toBe(sid)
    expect(errors).toEqual([])
  }, 40_000)

  it('names a device, and ends one that was not the user with a new password', async () => {
    const server = await startServer()
    const mine = await open(siteOf(server), { bypassCSP: true, colorScheme: 'dark' })
    const stranger = await open(siteOf(server))
    await signIn(stranger.page)
    await signIn(mine.page)
    const { page } = mine
    await page.waitForSelector('#sessions-list .device >> nth=1')
    await page.click('.device[data-current] button:has-text("Rename")')
    await page.fill('.device-name input', 'Work laptop')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.device[data-current] strong:has-text("Work laptop")')
    await refresh(page)
    await page.click('.device button:has-text("Not me")')
    await page.waitForSelector('#new-password-text:has-text("We sign out Chrome on Linux")')
    expect(await findViolations(page)).toEqual([])
    await page.fill('#new-password-input', 'correct horse')
    await page.keyboard.press('Enter')
    await page.fill('#step-up-password', 'test')
    await page.keyboard.press('Enter')
    await page.waitForSelector('#new-password-dialog:not([open])', { state: 'attached' })
    await expect.poll(() => page.locator('.device').count()).toBe(1)
    await stranger.page.click('[data-route="/protected"]')
    await stranger.page.waitForSelector('#response:has-text("This session is over")')
    await stranger.page.click('#sign-in-button')
    await stranger.page.waitForSelector('#sign-in-problem:not(:empty)')
    await logOut(page)
    await page.fill('#password', 'correct horse')
    await page.click('#sign-in-button')
    await page.waitForSelector('#account:not([hidden])')
    expect([...mine.errors, ...stranger.errors]).toEqual([])
  }, 40_000)

  it('leads from an address of numbers to the name that passkeys need', async () => {
    const server = await startServer()
    const { page, errors } = await open(server.url)
    await page.click('#passkey-button')
    await page.click('#sign-in-problem a')
    await page.waitForURL(`${siteOf(server)}/`)
    expect(errors).toEqual([])
  })
})
