/** "Log in with ..." against a real OpenID Connect provider on this machine, by a browser of forms. */
import { expect, it } from 'vitest'
import { claimsOf, startExample } from './program.ts'
import { startProvider } from './provider.ts'

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
  return { request, visit, post, jars }
}

async function start() {
  const provider = await startProvider()
  const { issuer } = provider
  const { url } = await startExample('oidc', { OIDC_ISSUER: issuer })
  provider.serve(`${url}/callback`)
  return { url, issuer, provider, ...openBrowser() }
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

it.each(['stop', 'fail'] as const)(
  'says 503 while the provider is down (%s), not that the proof is wrong',
  async (how) => {
    const { url, issuer, provider, request, visit, jars } = await start()
    await request(`${url}/login`)
    // The browser is back from the provider when that goes down.
    const { data } = claimsOf(jars.get(url)?.get('oidc') ?? '') as { data: { state: string } }
    const query = new URLSearchParams({ code: 'x', state: data.state, iss: issuer })
    if (how === 'stop') provider.stop()
    else provider.fail(502)
    const { status, body } = await visit(`${url}/callback?${query}`)
    expect([status, body.code]).toEqual([503, 'store_unavailable'])
  },
)
