/** A production build of Next.js: the proxy, a server component, server actions and route handlers together. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { find, HAS_WEB } from './packages.ts'

const APP = fileURLToPath(new URL('./next-app', import.meta.url))
const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const ACCESS = '__Host-access_token'

/** Starts the command of Next.js; `output` grows. */
function runNext(args: readonly string[], env: object): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, [find('next/dist/bin/next'), ...args], {
    cwd: APP,
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += String(chunk)))
  return { child, output: () => text }
}

async function findPort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => probe.once('listening', resolve))
  const { port } = probe.address() as { port: number }
  await new Promise((resolve) => probe.close(resolve))
  return port
}

describe.skipIf(!HAS_WEB)('Next.js', () => {
  let url = ''
  let server: ChildProcess | undefined
  let output = (): string => ''

  beforeAll(async () => {
    // Without the secret, as in a container's build.
    const build = runNext(['build'], {})
    const status = await new Promise((resolve) => build.child.once('exit', resolve))
    expect(status, build.output()).toBe(0)
    const port = await findPort()
    url = `http://localhost:${port}`
    const started = runNext(['start', '-p', String(port), '-H', 'localhost'], { AUTH_SECRET: SECRET })
    server = started.child
    output = started.output
    await vi.waitUntil(() => output().includes('Ready'), { timeout: 60_000 })
  }, 280_000)

  afterAll(() => {
    server?.kill()
  })

  /** A browser without scripts: cookies and forms. */
  function createBrowser() {
    const cookies = new Map<string, string>()
    async function send(path: string, init: RequestInit = {}) {
      const headers = new Headers(init.headers)
      headers.set('cookie', [...cookies].map((pair) => pair.join('=')).join('; '))
      const response = await fetch(url + path, { redirect: 'manual', ...init, headers })
      const lines = response.headers.getSetCookie()
      for (const line of lines) {
        const [name = '', value = ''] = (line.split(';', 1)[0] ?? '').split(/=(.*)/s)
        if (/; Max-Age=0/i.test(line)) cookies.delete(name)
        else cookies.set(name, value)
      }
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, lines, visitor: readVisitor(text) }
    }
    /** Presses a button of the page, as a browser without scripts does. */
    async function press(button: string) {
      const { text } = await send('/')
      const form = text.split('<form').find((part) => part.includes(`id="${button}"`)) ?? ''
      const field = /name="(\$ACTION_ID_[^"]+)"/.exec(form)?.[1] ?? ''
      const body = new FormData()
      body.set(field, '')
      return { submit: () => send('/', { method: 'POST', body, headers: { origin: url } }) }
    }
    return { cookies, send, press }
  }

  const readVisitor = (html: string): string | undefined => /id="visitor">([^<]*)</.exec(html)?.[1]

  it('signs in by a server action, refreshes for the render that needs it, and signs out', async () => {
    const { cookies, send, press } = createBrowser()
    expect((await send('/')).visitor).toBe('stranger')
    const signedIn = await (await press('in')).submit()
    expect(signedIn.lines.find((line) => line.startsWith(ACCESS))).toMatch(
      /^(?=.*; Path=\/)(?=.*; Max-Age=900)(?=.*; Secure)(?=.*; HttpOnly)(?=.*; SameSite=lax)/i,
    )
    expect(signedIn.lines.find((line) => line.startsWith('__Host-csrf'))).not.toMatch(/httponly/i)
    const page = await send('/?a=b')
    expect([page.visitor, page.lines, page.headers.get('x-path')]).toEqual(['alice', [], '/'])

    // The access cookie has ended. The same response shows the user and sets the new cookie.
    cookies.delete(ACCESS)
    const refreshed = await send('/?a=b')
    expect([refreshed.visitor, refreshed.headers.get('x-path')]).toEqual(['alice', '/'])
    expect(refreshed.lines.some((line) => line.startsWith(`${ACCESS}=`))).toBe(true)
    expect(refreshed.headers.get('cache-control')).toContain('private, no-store')
    expect(cookies.has(ACCESS)).toBe(true)

    // No proxy refreshes a POST: the guard of the action does.
    const who = await press('who')
    cookies.delete(ACCESS)
    const answer = await who.submit()
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/?sub=alice'])
    expect(cookies.has(ACCESS)).toBe(true)

    const out = await press('out')
    const before = [...cookies].filter(([name]) => name !== ACCESS)
    await out.submit()
    expect([...cookies.keys()].filter((name) => name.startsWith('__Host-'))).toEqual([])
    expect((await send('/')).visitor).toBe('stranger')
    // Whoever has kept the cookies has no session.
    for (const [name, value] of before) cookies.set(name, value)
    expect((await send('/')).visitor).toBe('stranger')
    expect(output()).not.toMatch(/TOKENWRIGHT_MEMORY_STORES|TypeError/)
  })

  it('refuses a guarded server action without a token', async () => {
    const { press, cookies } = createBrowser()
    const who = await press('who')
    expect((await who.submit()).status).toBe(500)
    expect(cookies.size).toBe(0)
  })

  it('serves the routes and a guarded route handler, with one store for all copies of the module', async () => {
    const { send } = createBrowser()
    expect((await send('/api/me')).status).toBe(401)
    const login = await send('/auth/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: url },
      body: JSON.stringify({ username: 'bob', password: 'x' }),
    })
    expect([login.status, login.lines.length]).toEqual([200, 3])
    expect((await send('/api/me')).text).toBe('{"sub":"bob"}')
    expect((await send('/')).visitor).toBe('bob')
    const sessions = await send('/auth/sessions')
    expect(JSON.parse(sessions.text).sessions).toHaveLength(1)
  })
})
