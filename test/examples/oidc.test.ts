/** "Log in with ..." against a real OpenID Connect provider on this machine, by a browser of forms. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'
import { expect, it, onTestFinished } from 'vitest'
import { startExample } from './program.ts'

/** A provider whose development pages take any user. */
async function startProvider() {
  const server = createServer((request, response) => handle(request, response))
  let handle: (...args: Parameters<ReturnType<Provider['callback']>>) => unknown = () => undefined
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => void server.close())
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const serve = (redirectUri: string): void => {
    const provider = new Provider(issuer, {
      clients: [{ client_id: 'app', client_secret: 'app-secret', redirect_uris: [redirectUri] }],
      acrValues: ['gold'],
      claims: { openid: ['sub'], acr: null, auth_time: null },
      cookies: { keys: ['not a secret: a test'] },
      pkce: { required: () => true },
    })
    handle = provider.callback()
  }
  return { issuer, serve }
}

type Body = Readonly<Record<'sub' | 'sid' | 'csrf' | 'code', string>> & { readonly auth_time: number }

/** Follows redirects over two sites, keeps the cookies of each, and fills in the provider's forms. */
function openBrowser() {
  const jars = new Map<string, Map<string, string>>()
  async function request(url: string, init: RequestInit = {}): Promise<{ url: string; response: Response }> {
    const { origin } = new URL(url)
    const jar = jars.get(origin) ?? new Map<string, string>()
    jars.set(origin, jar)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...init.headers, ...(cookie !== '' && { cookie }) }
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') jar.delete(name)
      else jar.set(name, value)
    }
    const to = response.headers.get('location')
    return to === null ? { url, response } : request(new URL(to, url).href)
  }
  /** Goes to a page, and through login and consent where the provider asks. */
  async function visit(start: string, user = 'alice') {
    let { url, response } = await request(start)
    let forms = 0
    for (; /\/interaction\//.test(url); forms++) {
      const html = await response.text()
      const action = /action="([^"]+)"/.exec(html)?.[1] ?? ''
      const prompt = /name="prompt" value="(\w+)"/.exec(html)?.[1] ?? ''
      const body = new URLSearchParams({ prompt, login: user, password: 'any' })
      ;({ url, response } = await request(new URL(action, url).href, { method: 'POST', body }))
    }
    return { url, status: response.status, body: (await response.json()) as Body, forms }
  }
  const post = async (url: string, csrf: string) => {
    const { response } = await request(url, {
      method: 'POST',
      headers: { origin: new URL(url).origin, 'x-csrf-token': csrf },
    })
    return response
  }
  return { visit, post, jars }
}

async function start() {
  const { issuer, serve } = await startProvider()
  const { url } = await startExample('oidc', { OIDC_ISSUER: issuer })
  serve(`${url}/callback`)
  return { url, issuer, ...openBrowser() }
}

it('logs in, keeps the time of the login at the provider, and steps up there in the same session', async () => {
  const { url, visit, post } = await start()
  const first = await visit(`${url}/`)
  expect(first).toMatchObject({ status: 200, url: `${url}/`, body: { sub: 'alice', amr: ['fed'] } })
  expect((await post(`${url}/delete-account`, first.body.csrf)).status).toBe(200)
  // The provider knows the user still: no form, and the time of that login.
  const second = await visit(`${url}/login`)
  expect([second.forms, second.body.auth_time]).toEqual([0, first.body.auth_time])
  expect(second.body.sid).not.toBe(first.body.sid)
  const stepped = await visit(`${url}/step-up?acr=gold`)
  expect(stepped.forms).toBeGreaterThan(0)
  expect(stepped.body).toMatchObject({ sub: 'alice', sid: second.body.sid })
  expect(stepped.body.auth_time).toBeGreaterThanOrEqual(second.body.auth_time)
})

it('steps up for no one else, and takes a callback once', async () => {
  const { url, issuer, visit, jars } = await start()
  await visit(`${url}/`)
  // Someone else sits down at the provider.
  jars.delete(issuer)
  const other = await visit(`${url}/step-up`, 'mallory')
  expect([other.status, other.body.code]).toEqual([401, 'credentials_invalid'])
  const forged = await visit(`${url}/callback?code=x&state=y`)
  expect(forged.status).toBe(401)
})
