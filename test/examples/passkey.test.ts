/** Passkeys in a real Chromium, with the virtual authenticator of its debugging protocol. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHROMIUM, launch } from '../client/chromium.ts'
import { addAuthenticator } from './authenticator.ts'
import { send, startExample } from './program.ts'

describe.skipIf(CHROMIUM === undefined)('passkey', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())

  async function open() {
    const program = await startExample('passkey')
    const url = program.url.replace('127.0.0.1', 'localhost')
    const context = await browser.newContext()
    const page = await context.newPage()
    const wire: string[] = []
    page.on('request', (request) => wire.push(`${request.method()} ${new URL(request.url()).pathname}`))
    const authenticator = await addAuthenticator(page)
    await page.goto(url)
    const press = async (id: string) => {
      wire.length = 0
      await page.click(`#${id}`)
      await page.waitForFunction("!['', '...'].includes(document.querySelector('p').textContent)")
      return page.textContent('p')
    }
    return { ...program, url, page, wire, press, authenticator, close: () => context.close() }
  }

  it('signs in, and steps up in the same session, without a password', async () => {
    const { page, wire, press, close } = await open()
    expect(await press('password')).toBe('signed-in')
    expect(await press('add')).toBe('Passkey added')
    expect(await press('out')).toBe('signed-out')
    expect(await press('passkey')).toBe('signed-in')
    // Just signed in: a sensitive call passes at once, without a refresh and without a dialog.
    expect(await press('delete')).toBe('It was an example: nothing is gone')
    expect(wire).toEqual(['POST /delete-account'])
    // So it does in a page that was loaded anew, also after a way in that no script saw, such as a
    // redirect.
    for (const script of ['0', 'localStorage.clear()', LEFT_BY_ANOTHER_LOGIN]) {
      await page.evaluate(script)
      await page.reload()
      expect(await press('delete')).toBe('It was an example: nothing is gone')
      expect(wire.filter((line) => line !== 'GET /auth/session')).toEqual(['POST /delete-account'])
    }
    const before = await sessionOf(page)
    expect(before).toMatchObject({ sub: 'user-1', amr: ['hwk', 'user', 'mfa'] })
    await press('refresh')
    expect(await press('delete')).toBe('It was an example: nothing is gone')
    expect(wire).toEqual([
      'POST /delete-account',
      'POST /passkeys/challenge',
      'POST /auth/step-up',
      'POST /delete-account',
    ])
    expect((await sessionOf(page))['session_id']).toBe(before['session_id'])
    await close()
  })

  it('refuses a response that was used, and one of another authenticator', async () => {
    const { url, page, press, authenticator, close } = await open()
    await press('password')
    await press('add')
    const login = page.waitForRequest((request) => request.url().endsWith('/auth/login'))
    await press('passkey')
    const replayed = JSON.parse((await login).postData() ?? '{}')
    expect((await send(url, 'POST /auth/login', { json: replayed })).status).toBe(401)
    const hostile = { passkey: { id: { toString: 1 } }, challenge: { toString: 1 } }
    for (const json of [hostile, { ...replayed, challenge: hostile.challenge }])
      expect((await send(url, 'POST /auth/login', { json })).status).toBe(401)
    await authenticator.clear()
    expect(await press('passkey')).toMatch(/^Failed/)
    await close()
  })
})

/** What an earlier session has left in the storage, whose cookies are gone. */
const LEFT_BY_ANOTHER_LOGIN = `for (const [key, text] of Object.entries(localStorage)) {
  const earlier = { ...JSON.parse(text), csrf: 'earlier-value', login: 'earlie', expiresAt: 1 }
  localStorage.setItem(key, JSON.stringify(earlier))
}`

function sessionOf(page: Page): Promise<Record<string, unknown>> {
  return page.evaluate("fetch('/auth/session').then((response) => response.json())")
}
