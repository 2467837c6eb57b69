/**
 * The React door with the real React: on a server by `react-dom/server`, and as a page in Chromium against the reference server.
 */

import { Writable } from 'node:stream'
import type { Browser } from 'playwright-core'
import { createElement, Suspense } from 'react'
import { renderToPipeableStream, renderToString } from 'react-dom/server'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthClient, createUser } from '../../src/client.ts'
import { AuthProvider, SignedIn, SignedOut, useAuth, useUser } from '../../src/react.ts'
import { ROOT, startServer } from '../server/process.ts'
import { CHROMIUM, launch } from './chromium.ts'

const Status = () => createElement('p', null, useAuth().status)

it('renders on a server, where no user is known', () => {
  const client = createAuthClient({ baseUrl: 'https://app.example.com' })
  expect(renderToString(createElement(AuthProvider, { client }, createElement(Status)))).toBe(
    '<p>unknown</p>',
  )
  expect(() => renderToString(createElement(Status))).toThrow('useAuth() needs an <AuthProvider>')
})

it('renders on a server what the server knows', () => {
  const client = createAuthClient()
  const initialState = { status: 'signed-in', expiresAt: 0, fresh: false, login: 'x' } as const
  const parts = [SignedIn, SignedOut].map((part, key) => createElement(part, { key }, `${key}`))
  const render = (props: object) => renderToString(createElement(AuthProvider, { client, ...props }, parts))
  expect(render({ initialState })).toBe('0')
  expect(render({ initialState: { ...initialState, status: 'signed-out' } })).toBe('1')
  expect(render({})).toBe('')
  const user = createUser(client, async () => ({ name: 'ada' }))
  const User = () => createElement('p', null, useUser(user)?.name ?? 'nobody')
  expect(renderToString(createElement(User))).toBe('<p>nobody</p>')
})

it('suspends until it is known, once', async () => {
  const client = createAuthClient()
  const Waiting = () => createElement('p', null, useAuth({ suspense: true }).status)
  const html = await new Promise<string>((resolve, reject) => {
    let text = ''
    const sink = new Writable({
      write: (chunk, _, done) => {
        text += chunk
        done()
      },
      final: (done) => {
        resolve(text)
        done()
      },
    })
    const inside = createElement(Suspense, { fallback: 'wait' }, createElement(Waiting))
    const tree = createElement(AuthProvider, { client }, inside)
    const { pipe } = renderToPipeableStream(tree, { onAllReady: () => void pipe(sink), onError: reject })
  })
  expect(html).toContain('unknown')
})

/** An application of the two hooks. */
const APP = `
import { createElement as h, StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { createAuthClient } from '${ROOT}src/client.ts'
import { AuthProvider, useAuth, useStepUp } from '${ROOT}src/react.ts'

function Account() {
  const { status, fresh, auth } = useAuth()
  const [said, setSaid] = useState('')
  const send = () =>
    Promise.all([1, 2, 3, 4, 5].map(() => auth.fetch('/sensitive_operation').then(({ status }) => status, ({ code }) => code)))
      .then((all) => setSaid(all.join(' ')))
  return h('main', null,
    h('p', { id: 'status' }, status, fresh ? ' fresh' : ''),
    h('p', { id: 'said' }, said),
    h('button', { id: 'in', onClick: () => auth.login({ username: 'test', password: 'test' }) }),
    h('button', { id: 'refresh', onClick: () => auth.refresh() }),
    h('button', { id: 'send', onClick: send }),
    h('button', { id: 'out', onClick: () => auth.logout() }))
}

function StepUp() {
  const { request, problem, confirm, cancel } = useStepUp()
  return request && h('dialog', { open: true },
    h('p', { id: 'problem' }, problem?.code ?? ''),
    h('button', { id: 'wrong', onClick: () => confirm('wrong') }),
    h('button', { id: 'right', onClick: () => confirm('test') }),
    h('button', { id: 'cancel', onClick: cancel }))
}

const client = createAuthClient()
createRoot(document.body).render(h(StrictMode, null, h(AuthProvider, { client }, h(Account), h(StepUp))))
`

describe.runIf(CHROMIUM !== undefined)('the React entry point in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())

  async function bundle(): Promise<string> {
    const built = await rolldown({
      input: 'app',
      transform: { define: { 'process.env.NODE_ENV': '"development"' } },
      plugins: [
        {
          name: 'app',
          resolveId: (id) => (id === 'app' ? `${ROOT}test/client/app.js` : null),
          load: (id) => (id === `${ROOT}test/client/app.js` ? APP : null),
        },
      ],
    })
    const { output } = await built.generate({ format: 'es' })
    await built.close()
    return output[0].code
  }

  it('shows the state, and one dialog for five calls', async () => {
    const { url } = await startServer()
    const code = await bundle()
    const context = await browser.newContext()
    const page = await context.newPage()
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(String(error)))
    await page.route(`${url}/app/**`, (route) =>
      route.request().url().endsWith('.js')
        ? route.fulfill({ contentType: 'text/javascript', body: code })
        : route.fulfill({
            contentType: 'text/html',
            body: '<!doctype html><body></body><script type="module" src="/app/app.js"></script>',
          }),
    )
    await page.goto(`${url}/app/`)
    await page.waitForSelector('#status:text-is("unknown")')
    await page.click('#in')
    await page.waitForSelector('#status:text-is("signed-in fresh")')
    await page.click('#refresh')
    await page.waitForSelector('#status:text-is("signed-in")')

    await page.click('#send')
    await page.waitForSelector('dialog')
    await page.click('#wrong')
    await page.waitForSelector('#problem:text-is("credentials_invalid")')
    await page.click('#right')
    await page.waitForSelector('#said:text-is("200 200 200 200 200")')
    expect(await page.locator('dialog').count()).toBe(0)
    await page.waitForSelector('#status:text-is("signed-in fresh")')

    await page.click('#refresh')
    await page.waitForSelector('#status:text-is("signed-in")')
    await page.click('#send')
    await page.waitForSelector('dialog')
    expect(await page.textContent('#problem')).toBe('')
    await page.click('#cancel')
    await page.waitForSelector(`#said:text-is("${Array(5).fill('step_up_cancelled').join(' ')}")`)
    expect(await page.locator('dialog').count()).toBe(0)
    await page.click('#out')
    await page.waitForSelector('#status:text-is("signed-out")')
    expect(errors).toEqual([])
    await context.close()
  })
})
