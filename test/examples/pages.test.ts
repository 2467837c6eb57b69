/**
 * Pages that a server renders: a visitor whose access token is over sees his page, and gets the
 * next one.
 */
import { expect, it } from 'vitest'
import { send, startExample } from './program.ts'

const pairs = (response: Response): string[] =>
  response.headers.getSetCookie().map((line) => line.split(';', 1)[0] ?? '')

it('knows a visitor by the cookie, and refreshes one whose access token is gone', async () => {
  const { url } = await startExample('pages')
  const render = (cookie?: string): Promise<Response> =>
    fetch(url, { headers: { ...(cookie && { cookie }) } })
  expect(await (await render()).text()).toContain('Sign in')
  const body = JSON.stringify({ username: 'test', password: 'test' })
  const login = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  const cookies = pairs(login)

  const known = await render(cookies.join('; '))
  expect(await known.text()).toContain('Hello test')
  expect(known.headers.getSetCookie()).toEqual([])

  const refreshOnly = cookies.filter((pair) => !pair.startsWith('__Host-access_token='))
  const refreshed = await render(refreshOnly.join('; '))
  expect(await refreshed.text()).toContain('Hello test')
  expect(pairs(refreshed).map((pair) => pair.split('=', 1)[0])).toContain('__Host-access_token')
  const again = await render(pairs(refreshed).join('; '))
  expect(await again.text()).toContain('Hello test')
  expect(await (await render('__Host-refresh_token=garbage; __Host-access_token=x')).text()).toContain(
    'Sign in',
  )
  expect((await send(url, 'GET /nowhere')).status).toBe(404)
})
