// What a client does with a project: it logs in, opens the protected route, refreshes, is refused,
// and steps up.
import { setTimeout as pause } from 'node:timers/promises'
import { Secret, TOTP } from 'otpauth'
import { count } from '../check-package/project.mjs'

/** How long a server may take to serve its first request, in milliseconds. */
const START = 60_000

/** A client by header, or one by cookie, which does as a browser would. */
function createClient(url, delivery) {
  const cookies = new Map()
  let tokens = {}
  const headersOf = () => {
    const token = tokens.access_token
    if (delivery === 'body') return token === undefined ? {} : { authorization: `Bearer ${token}` }
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    return { origin: url, cookie, ...(tokens.csrf_token && { 'x-csrf-token': tokens.csrf_token }) }
  }
  return {
    async send(path, body, headers = headersOf()) {
      const json = { 'content-type': 'application/json', ...headers }
      const init =
        body === undefined ? { headers } : { method: 'POST', headers: json, body: JSON.stringify(body) }
      // On a slow machine the server may be about to close a connection that was kept.
      const response = await fetch(url + path, { ...init, headers: { ...init.headers, connection: 'close' } })
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        cookies.set(name, value)
      }
      const text = await response.text()
      const data = /^\{/.test(text) ? JSON.parse(text) : {}
      if (data.access_token ?? data.csrf_token) tokens = { ...tokens, ...data }
      return { status: response.status, data, text }
    },
    refresh() {
      if (delivery === 'cookie') return this.send('/auth/refresh', {})
      return this.send('/auth/refresh', {}, { authorization: `Bearer ${tokens.refresh_token}` })
    },
  }
}

/** The bodies of a login and a step-up. A link comes in a mail, which the server prints. */
async function prove(step, { choices, env, client, read }) {
  if (choices.proofs === 'magic-link') {
    const before = read().length
    await client.send('/auth/link', { address: 'test@example.com' })
    const token = await tryUntil(async () => /#(\S+)/.exec(read().slice(before))?.[1])
    return { token }
  }
  if (choices.proofs === 'password+totp' && step === 'step-up') {
    const key = /^DEMO_TOTP_KEY=(.+)$/m.exec(env)?.[1] ?? ''
    return { code: new TOTP({ secret: Secret.fromBase32(key) }).generate() }
  }
  return { username: 'test', password: 'test' }
}

export async function useProject(project) {
  const { title, choices, url, read } = project
  const client = createClient(url, choices.delivery)
  const expect = (what, { status, text }, wanted, part = '') =>
    count(`${title}: ${what}`, status === wanted && text.includes(part), `${status} ${text}\n${read()}`)
  const first = await tryUntil(() => client.send('/me'))
  expect('refuses a stranger', first ?? { status: 0, text: 'does not listen' }, 401)
  const context = { ...project, client }
  expect('logs in', await client.send('/auth/login', await prove('login', context)), 200)
  expect('opens the protected route', await client.send('/me'), 200, '{"sub":"user-1"}')
  expect('refreshes', await client.refresh(), 200)
  expect('refuses what is not fresh', await client.send('/change-email', {}), 401, 'fresh_token_required')
  expect('steps up', await client.send('/auth/step-up', await prove('step-up', context)), 200)
  expect('opens the sensitive route', await client.send('/change-email', {}), 200, 'Changed')
  count(`${title}: prints no secret`, !read().includes(/=(.+)/.exec(project.env)?.[1] ?? ''))
}

/** A project in production has no demo user: it refuses one, and who is not signed in. */
export async function useBuilt({ title, choices, url, read }) {
  const client = createClient(url, choices.delivery)
  const me = await tryUntil(() => client.send('/me'))
  count(`${title}: built, refuses a stranger`, me?.status === 401, `${me?.status} ${me?.text}\n${read()}`)
  const body = { username: 'test', password: 'test', token: 'test' }
  const { status, text } = await client.send('/auth/login', body)
  count(`${title}: built, has no demo user`, status === 401, `${status} ${text}\n${read()}`)
}

/** Tries until there is something, or the time is over. */
async function tryUntil(work) {
  for (const end = Date.now() + START; Date.now() < end; await pause(100)) {
    try {
      const found = await work()
      if (found !== undefined) return found
    } catch {
      // It does not listen yet.
    }
  }
  return undefined
}
