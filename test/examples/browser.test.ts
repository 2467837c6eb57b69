/**
 * The examples of proofs in a real Chromium with the real client of this package: a login is
 * followed by a sensitive call without a refresh and without a dialog; after a refresh the call
 * asks for a proof, and goes on in the same session.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TOTP, URI } from 'otpauth'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { CHROMIUM, launch } from '../client/chromium.ts'
import { ROOT } from '../server/process.ts'
import { startExample } from './program.ts'
import { startProvider } from './provider.ts'

describe.skipIf(CHROMIUM === undefined)('the examples in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())

  /** Opens a page on a device of its own, and notes what all its windows send to the example. */
  async function open(url: string) {
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    const wire: string[] = []
    context.on('request', (request) => {
      const { origin, pathname } = new URL(request.url())
      const isModule = pathname.startsWith('/modules/')
      if (origin === url && !isModule) wire.push(`${request.method()} ${pathname}`)
    })
    return { context, page: await context.newPage(), wire }
  }

  /** A page of the example's site with the client as `auth`. */
  async function openClient(url: string) {
    const opened = await open(url)
    const { page } = opened
    await page.route(`${url}/`, (route) => route.fulfill({ contentType: 'text/html', body: PAGE }))
    await page.route(`${url}/modules/**`, (route) => {
      const path = join(ROOT, 'dist/esm', new URL(route.request().url()).pathname.replace('/modules/', ''))
      return route.fulfill({ contentType: 'text/javascript', body: readFileSync(path, 'utf8') })
    })
    await page.goto(`${url}/`)
    await page.waitForFunction('globalThis.auth')
    return opened
  }

  it('totp: asks for a code after the password, and again for a call that is sensitive', async () => {
    const { url, stdout } = await startExample('totp')
    const totp = URI.parse(/otpauth:\S+/.exec(stdout())?.[0] ?? '') as TOTP
    const [recovery = ''] = /Recovery codes: (.*)/.exec(stdout())?.[1]?.split(' ') ?? []
    const { page, wire } = await openClient(url)
    const asked = await page.evaluate<{ code: string; next: unknown }>(
      `auth.login({ username: 'test', password: 'test' }).catch((error) => {
        globalThis.continuation = error.continuation
        return { code: error.code, next: error.next }
      })`,
    )
    expect(asked).toEqual({ code: 'proof_required', next: { methods: ['totp', 'recovery-code'] } })
    await page.evaluate(`auth.login({ code: '${totp.generate()}', continuation })`)
    const call = () =>
      page.evaluate<number>(`auth.fetch('/change-password', { method: 'POST' }).then(({ status }) => status)`)
    wire.length = 0
    expect(await call()).toBe(200)
    expect(wire).toEqual(['POST /change-password'])
    const before = await sessionOf(page)
    await page.evaluate('auth.refresh()')
    await page.evaluate(`globalThis.proofs = [{ code: '000000' }, { code: '${recovery}' }]`)
    wire.length = 0
    expect(await call()).toBe(200)
    expect(wire).toEqual([
      'POST /change-password',
      'POST /auth/step-up',
      'POST /auth/step-up',
      'POST /change-password',
    ])
    expect((await sessionOf(page))['session_id']).toBe(before['session_id'])
  })

  it('oidc: logs in at the provider, and steps up there in a second window', async () => {
    // Another name than that of the example: another site.
    const provider = await startProvider('localhost')
    const { url } = await startExample('oidc', { OIDC_ISSUER: provider.issuer })
    provider.serve(`${url}/callback`)
    const { context, page, wire } = await open(url)
    await page.goto(`${url}/login`)
    await passProvider(page)
    await page.waitForURL(`${url}/`)
    await page.goto(`${url}/page`)
    wire.length = 0
    expect(await press(page, 'delete')).toBe('It was an example: nothing is gone')
    expect(wire.filter((line) => line !== 'GET /auth/session')).toEqual(['POST /delete-account'])
    const before = await sessionOf(page)
    expect(await press(page, 'refresh')).toBe('signed-in')
    wire.length = 0
    const popup = context.waitForEvent('page')
    const deleted = press(page, 'delete')
    const second = await popup
    await passProvider(second)
    expect(await deleted).toBe('It was an example: nothing is gone')
    expect(wire.filter((line) => !/auth\/session|done/.test(line))).toEqual([
      'POST /delete-account',
      'GET /step-up',
      'GET /callback',
      'POST /delete-account',
    ])
    const after = await sessionOf(page)
    expect(after['session_id']).toBe(before['session_id'])
    expect(after['auth_time']).toBeGreaterThanOrEqual(Number(before['auth_time']))
    await expect.poll(() => second.isClosed()).toBe(true)
  })

  it('magic-link: signs in by the button of the linked page, which only the first press can', async () => {
    const { url, stdout } = await startExample('magic-link')
    const { page } = await open(url)
    await page.request.post(`${url}/login-link`, { data: { email: 'test@example.com' } })
    const link = /Mail to \S+: (\S+)/.exec(stdout())?.[1] ?? ''
    await page.goto(link)
    await page.click('button')
    await page.waitForURL(`${url}/protected`)
    expect(await page.textContent('body')).toContain('user-1')
    const other = await open(url)
    await other.page.goto(link)
    await other.page.click('button')
    await other.page.waitForSelector('p:has-text("The link was used")')
  })

  it('forms: sign in, ask for the password again, and go on, without a script', async () => {
    const { url } = await startExample('forms')
    const { page } = await open(url)
    await page.goto(url)
    await page.fill('[name=username]', 'test')
    await page.fill('[name=password]', 'test')
    await page.click('text=Sign in >> nth=-1')
    await page.waitForSelector('text=Hello test')
    await page.context().clearCookies({ name: '__Host-access_token' })
    await page.reload()
    await page.click('text=Delete the account')
    await page.waitForSelector('text=Is it you?')
    await page.fill('[name=password]', 'test')
    await page.click('text=Go on')
    await page.waitForSelector('text=Hello test')
    await page.click('text=Delete the account')
    await page.waitForSelector('h1:has-text("Deleted")')
  })
})

/** Steps up by each of `proofs`, until one is right. */
const PAGE = `<!doctype html><title>Page</title><link rel="icon" href="data:,">
<script type="module">
  import { createAuthClient } from '/modules/client.js'
  globalThis.auth = createAuthClient({
    delivery: 'body',
    onStepUp: async () => {
      const [proof, ...others] = proofs
      globalThis.proofs = others
      await auth.stepUp(proof).catch(() => auth.stepUp(others[0]))
    },
  })
</script>`

function sessionOf(page: Page): Promise<Record<string, unknown>> {
  return page.evaluate(
    "(globalThis.auth?.fetch ?? fetch)('/auth/session').then((response) => response.json())",
  )
}

/** Presses a button, and waits for what the page says of it. */
async function press(page: Page, id: string): Promise<string | null> {
  await page.click(`#${id}`)
  await page.waitForFunction("!['', '...'].includes(document.querySelector('p').textContent)")
  return page.textContent('p')
}

/** Fills in the forms of the provider: the user, and the consent at the first time. */
async function passProvider(page: Page): Promise<void> {
  await page.waitForSelector('[name=login]')
  await page.fill('[name=login]', 'alice')
  await page.fill('[name=password]', 'any')
  await page.click('[type=submit]')
  await page.click('[type=submit]:has-text("Continue")', { timeout: 5000 }).catch(() => undefined)
}
