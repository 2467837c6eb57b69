/** What every application of docs/guide/full-stack.md does. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuth } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { ACCESS, CSRF, compile, createBrowser, type Page, REFRESH, SECRET, type Server } from './apps.ts'
import { HAS_WEB } from './packages.ts'

/** Where an application has its forms, and what else it has. */
export interface AppFacts {
  /** Whether what it needs is installed. Default: whether the packages of `test/web` are. */
  readonly isInstalled?: boolean
  readonly signIn: string
  readonly signOut: string
  readonly rename: string
  /** What is refreshed, with the status of a GET: pages, data of pages, redirects, errors. */
  readonly refreshed: Readonly<Record<string, number>>
  /** A page that was rendered when the application was built. */
  readonly prerendered?: string
  /** How a form of another site is refused. Default 403. */
  readonly foreignForm?: number
  /** Whether forms are refreshed; an API leaves that to its client. */
  readonly refreshesForms: boolean
}

const NAME = /^[^=]*/
const namesOf = (lines: readonly string[]) => lines.map((line) => NAME.exec(line)?.[0])
const LOGIN = { username: 'alice', password: 'correct horse' }

/** Expects the cookies of a login, with all that makes them safe, in a response that goes to a page. */
function expectLogin({ status, headers, lines }: Page): void {
  expect([status, headers.get('location')]).toEqual([303, '/'])
  expect(namesOf(lines)).toEqual([ACCESS, REFRESH, CSRF])
  for (const line of lines)
    expect(line).toMatch(/^(?=.*; Path=\/(?:;|$))(?=.*; Max-Age=\d{3,})(?=.*; Secure)(?=.*; SameSite=lax)/i)
  expect(lines.map((line) => /; HttpOnly/i.test(line))).toEqual([true, true, false])
}

/**
 * Runs the suite.
 *
 * @param open builds and starts the application, once
 */
export function describeApp(name: string, facts: AppFacts, open: () => Promise<Server>): void {
  describe.skipIf(!(facts.isInstalled ?? HAS_WEB))(name, () => {
    let server: Server
    beforeAll(async () => {
      server = await open()
    }, 280_000)
    afterAll(() => {
      server?.child.kill()
    })

    const visit = () => createBrowser(server.url)
    async function signIn() {
      const browser = visit()
      expectLogin(await browser.submit(facts.signIn, LOGIN))
      return { ...browser, csrf: browser.cookies.get(CSRF) ?? '' }
    }

    it('signs in by a form, and shows the user', async () => {
      expect((await visit().send('/')).text).not.toContain('alice')
      const { send } = await signIn()
      const page = await send('/')
      expect([page.status, page.text.includes('alice'), page.lines]).toEqual([200, true, []])
    })

    const itPrerenders = facts.prerendered === undefined ? () => undefined : it
    itPrerenders('sends a prerendered page to everyone alike', async () => {
      const { send, cookies } = await signIn()
      cookies.delete(ACCESS)
      const page = await send(facts.prerendered ?? '')
      expect([page.status, page.text.includes('About'), page.lines]).toEqual([200, true, []])
    })

    it('does not sign in with a wrong password, nor by a form of another site', async () => {
      const { submit, cookies } = visit()
      await submit(facts.signIn, { ...LOGIN, password: 'x' })
      await submit(facts.signIn, LOGIN, 'https://evil.example')
      expect([...cookies]).toEqual([])
    })

    it('refreshes for the response that needs it, whatever that is', async () => {
      const { send, cookies } = await signIn()
      for (const [path, status] of Object.entries(facts.refreshed)) {
        cookies.delete(ACCESS)
        const page = await send(path)
        expect([path, page.status, namesOf(page.lines).includes(ACCESS)]).toEqual([path, status, true])
        if (status === 200) expect(page.text).toContain('alice')
        // A shared cache would sign others in.
        if (status !== 404) expect(page.headers.get('cache-control')).toBe('private, no-store')
      }
    })

    it('responds in full to a request that it refreshes, though the page has not changed', async () => {
      const { send, cookies } = await signIn()
      const etag = (await send('/')).headers.get('etag') ?? '"none"'
      cookies.delete(ACCESS)
      const page = await send('/', { headers: { 'if-none-match': etag } })
      expect([page.status, namesOf(page.lines).includes(ACCESS)]).toEqual([200, true])
    })

    it('stays signed in when many pages come at once with an expired token', async () => {
      const { send, cookies } = await signIn()
      for (let round = 0; round < 3; round++) {
        cookies.delete(ACCESS)
        const pages = await Promise.all(Array.from({ length: 8 }, () => send('/')))
        expect(pages.map(({ text }) => text.includes('alice'))).toEqual(Array(8).fill(true))
      }
      expect((await send('/')).lines).toEqual([])
    })

    const itHandlesForms = facts.refreshesForms ? it : () => undefined
    itHandlesForms('handles a form that was open for longer than the token', async () => {
      const { submit, cookies, csrf } = await signIn()
      cookies.delete(ACCESS)
      const page = await submit(facts.rename, { name: 'bea', csrf_token: csrf })
      expect([page.status, page.text.includes('alice is now bea')]).toEqual([200, true])
      expect(cookies.has(ACCESS)).toBe(true)
    })

    it('handles no form without the CSRF value, of another session or of another site', async () => {
      const { submit, csrf } = await signIn()
      const other = await signIn()
      expect((await submit(facts.rename, { name: 'bea', csrf_token: csrf })).text).toContain('is now bea')
      for (const value of ['', other.csrf]) {
        const page = await submit(facts.rename, { name: 'eve', csrf_token: value })
        expect([page.status, page.text.includes('is now')]).toEqual([403, false])
      }
      const page = await submit(facts.rename, { name: 'eve', csrf_token: csrf }, 'https://evil.example')
      expect([page.status, page.text.includes('is now')]).toEqual([facts.foreignForm ?? 403, false])
    })

    it('guards its API, and serves the routes to the client', async () => {
      const { send } = visit()
      const refused = await send('/api/me')
      expect([refused.status, JSON.parse(refused.text).code]).toEqual([401, 'token_missing'])
      expect(refused.headers.get('www-authenticate')).toBe('Bearer')
      // As behind a proxy that ends TLS: the origin is not that of the request.
      const headers = {
        'content-type': 'application/json',
        origin: server.url.replace('http:', 'https:'),
      }
      const login = await send('/auth/login', { method: 'POST', headers, body: JSON.stringify(LOGIN) })
      expect([login.status, namesOf(login.lines)]).toEqual([200, [ACCESS, REFRESH, CSRF]])
      expect(JSON.parse((await send('/api/me')).text)).toEqual({ sub: 'alice' })
      const { sessions } = JSON.parse((await send('/auth/sessions')).text)
      expect(sessions.find(({ current }: { current: boolean }) => current).ip).toMatch(/^[\da-f:.]+$/)
    })

    it('sets the cookies of a login of its own, one at a time', async () => {
      const { oneTime } = createAuth({ secret: SECRET, sessions: { store: memoryStore() } })
      const token = await oneTime.create('invitation', 'carol')
      const { submit, send } = visit()
      expectLogin(await submit('/join', { token }))
      expect((await send('/')).text).toContain('carol')
      expect((await visit().submit('/join', { token })).lines).toEqual([])
    })

    it('signs out, and ends the session', async () => {
      const { submit, send, cookies, csrf } = await signIn()
      await submit(facts.signOut, { csrf_token: csrf }, 'https://evil.example')
      const before = [...cookies].filter(([cookie]) => cookie !== ACCESS)
      expect(before.map(([cookie]) => cookie)).toEqual([REFRESH, CSRF])
      const page = await submit(facts.signOut, { csrf_token: csrf })
      expect([page.status, page.headers.get('location'), [...cookies]]).toEqual([303, '/', []])
      expect((await send('/')).text).not.toContain('alice')
      for (const [cookie, value] of before) cookies.set(cookie, value)
      expect((await send('/')).text).not.toContain('alice')
    })

    it('compiles, with the types of the framework', async () => {
      expect(await compile(server.folder)).toBe('')
    })

    it('has warned of nothing', () => {
      expect(server.output()).not.toMatch(/TOKENWRIGHT_|TypeError|Unhandled/)
    })
  })
}
