/** The examples of other proofs, over real HTTP: a second factor, a link in a mail, plain forms. */
import { type TOTP, URI } from 'otpauth'
import { describe, expect, it } from 'vitest'
import { claimsOf, send, startExample, tokensOf } from './program.ts'

describe('totp', () => {
  async function start() {
    const program = await startExample('totp')
    const [uri = ''] = /otpauth:\S+/.exec(program.stdout()) ?? []
    const totp = URI.parse(uri) as TOTP
    const recovery = /Recovery codes: (.*)/.exec(program.stdout())?.[1]?.split(' ') ?? []
    const password = { username: 'test', password: 'test' }
    const first = await send(program.url, 'POST /auth/login', { json: password })
    const { continuation, next } = JSON.parse(first.text)
    const logIn = (code: string) => send(program.url, 'POST /auth/login', { json: { code, continuation } })
    /** The code of a period, 0 for the current one. */
    const code = (period: number) => totp.generate({ timestamp: Date.now() + period * 30_000 })
    return { ...program, first, next, code, recovery, logIn }
  }

  it('asks for a code after the password, and steps up by another code in the same session', async () => {
    const { url, first, next, code, logIn } = await start()
    expect([first.status, next]).toEqual([401, { methods: ['totp', 'recovery-code'] }])
    expect((await logIn('000000')).status).toBe(401)
    const { access } = tokensOf(await logIn(code(0)))
    expect(claimsOf(access)).toMatchObject({ sub: 'user-1', amr: ['pwd', 'otp', 'mfa'], fresh: true })
    // The same code again is no proof.
    const again = await send(url, 'POST /auth/step-up', { token: access, json: { code: code(0) } })
    expect(again.status).toBe(401)
    const stepped = await send(url, 'POST /auth/step-up', { token: access, json: { code: code(1) } })
    expect(claimsOf(tokensOf(stepped).access)['sid']).toBe(claimsOf(access)['sid'])
    const changed = await send(url, 'POST /change-password', { token: tokensOf(stepped).access })
    expect(changed.status).toBe(200)
  })

  it('takes each recovery code once', async () => {
    const { url, recovery, logIn } = await start()
    const [code = ''] = recovery
    const { access } = tokensOf(await logIn(code))
    expect(claimsOf(access)['amr']).toEqual(['pwd', 'mfa'])
    const again = await send(url, 'POST /auth/step-up', { token: access, json: { code } })
    expect(again.status).toBe(401)
  })
})

describe('magic-link', () => {
  it('signs in by the button of the page, once, and says nothing of unknown addresses', async () => {
    const { url, stdout } = await startExample('magic-link')
    const asked = await send(url, 'POST /login-link', { json: { email: 'test@example.com' } })
    const unknown = await send(url, 'POST /login-link', { json: { email: 'eve@example.com' } })
    expect([asked.status, asked.text]).toEqual([unknown.status, unknown.text])
    const links = [...stdout().matchAll(/Mail to (\S+): (\S+)#(\S+)/g)]
    expect(links).toHaveLength(1)
    const [, address, link = '', token] = links[0] ?? []
    expect(address).toBe('test@example.com')
    // A scanner opens the link, and more than once.
    for (let at = 0; at < 3; at++) expect((await fetch(link)).status).toBe(200)
    const signedIn = await send(url, 'POST /auth/login', { json: { token } })
    expect(claimsOf(tokensOf(signedIn).access)).toMatchObject({ sub: 'user-1', amr: ['email'], fresh: true })
    expect((await send(url, 'POST /auth/login', { json: { token } })).status).toBe(401)
    expect((await send(url, 'POST /auth/login', { json: {} })).status).toBe(400)
    const hostile = { token: { toString: 1 } }
    expect((await send(url, 'POST /auth/login', { json: hostile })).status).toBe(401)
  })
})

describe('forms', () => {
  /** A browser without scripts: it keeps cookies, and sends the fields of the last page. */
  function openBrowser(url: string) {
    const cookies = new Map<string, string>()
    let fields: Record<string, string> = {}
    const go = async (method: string, path: string, body?: Record<string, string>) => {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const response = await fetch(url + path, {
        method,
        redirect: 'manual',
        headers: { ...(cookie && { cookie }), ...(method === 'POST' && { origin: url }) },
        ...(body && { body: new URLSearchParams({ ...fields, ...body }) }),
      })
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        if (/max-age=0/i.test(line)) cookies.delete(name)
        else cookies.set(name, value)
      }
      const html = await response.text()
      const hidden = html.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)
      if (html !== '') fields = Object.fromEntries([...hidden].map(([, name, value]) => [name, value]))
      return { status: response.status, to: response.headers.get('location'), html }
    }
    return { go, drop: (name: string) => cookies.delete(name), cookies }
  }

  it('leads to the login and back, asks for the password again, and signs out', async () => {
    const { url } = await startExample('forms')
    const { go, drop, cookies } = openBrowser(url)
    expect(await go('GET', '/')).toMatchObject({ status: 303, to: '/login?next=%2F' })
    await go('GET', '/login?next=/')
    const wrong = await go('POST', '/login', { username: 'test', password: 'wrong' })
    expect([wrong.status, /role="alert">[^<]+</.test(wrong.html)]).toEqual([401, true])
    expect(await go('POST', '/login', { username: 'test', password: 'test' })).toMatchObject({
      status: 303,
      to: '/',
    })
    expect((await go('GET', '/')).html).toContain('Hello test')
    expect((await go('POST', '/delete', { csrf_token: 'forged' })).status).toBe(403)
    await go('GET', '/')
    expect((await go('POST', '/delete', {})).html).toContain('Deleted')
    // The access token runs out. The next one is not fresh.
    drop('__Host-access_token')
    expect((await go('GET', '/')).html).toContain('Hello test')
    expect(await go('POST', '/delete', {})).toMatchObject({ status: 303, to: '/confirm?next=%2F' })
    await go('GET', '/confirm?next=/')
    expect((await go('POST', '/confirm', { password: 'wrong' })).status).toBe(401)
    expect(await go('POST', '/confirm', { password: 'test' })).toMatchObject({ status: 303, to: '/' })
    await go('GET', '/')
    expect(await go('POST', '/logout', {})).toMatchObject({ status: 303, to: '/login' })
    expect([...cookies.keys()]).toEqual([])
  })

  it.each(['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', '/a\tb', ''])(
    'go to no other site: next=%j',
    async (next) => {
      const { url } = await startExample('forms')
      const { go } = openBrowser(url)
      await go('GET', `/login?next=${encodeURIComponent(next)}`)
      expect((await go('POST', '/login', { username: 'test', password: 'test', next })).to).toBe('/')
    },
  )
})
