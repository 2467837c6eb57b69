/**
 * The recorded requests of the Python programs, sent to the examples: the recorded status and body
 * come back, byte for byte, or what the closed list of differences says, and nothing else. Tokens
 * cannot be the recorded ones: a live one of the same kind takes the place of each, in requests and
 * in answers.
 */
import { describe, expect, it } from 'vitest'
import { loadRecording } from '../vectors/load.ts'
import { ADDED, DIFFERENCES, type Ours, RULES } from './differences.ts'
import { type Answer, claimsOf, inThePast, receive, startExample } from './program.ts'

interface Exchange {
  readonly id: string
  readonly request: {
    readonly method: string
    readonly path: string
    readonly headers: readonly (readonly [string, string])[]
    readonly body: string | null
  }
  readonly status: number
  readonly body: unknown
}

/** Which example carries out which page; the keys are the numbers of docs/decisions/0002. */
const EXAMPLES = new Map([
  ['000', 'fresh-tokens'],
  ['001', 'explicit-refresh-fetch'],
  ['002', 'explicit-refresh'],
  ['003', 'verify-password'],
  ['004', 'token-types'],
] as const)

const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]+/g

/** The claims that every token has; what else there is in one is custom data. */
const CLAIMS = ['sub', 'jti', 'iat', 'exp', 'type', 'fresh', 'csrf', 'scopes', 'auth_time']

const { pages: recorded } = loadRecording<{
  pages: Readonly<Record<string, { readonly exchanges: readonly Exchange[] }>>
}>('transcripts.json')

function exchangeOf(name: string): Exchange {
  const [page = '', id = ''] = name.split('/')
  const found = recorded[page]?.exchanges.find((exchange) => exchange.id === id)
  if (found === undefined) throw new Error(`There is no exchange ${name}`)
  return found
}

/**
 * What can be compared in two tokens: everything but identifiers, times and signature. Lives in
 * minutes.
 */
function kindOf(token: string): string {
  const claims = claimsOf(token)
  const { sub, type, fresh = false, scopes = [], iat, exp } = claims
  const life = Math.round((Number(exp) - Number(iat)) / 60)
  const data = Object.fromEntries(Object.entries(claims).filter(([name]) => !CLAIMS.includes(name)))
  return JSON.stringify({ sub, type, fresh, scopes, life, data }).replaceAll('"', "'")
}

const toKinds = (text: string): string => text.replace(TOKEN, kindOf)

/** A token like a recorded one that no example has answered with. */
async function makeLike(token: string): Promise<string> {
  const { sub, type, fresh = false, iat, exp } = claimsOf(token)
  const life = Number(exp) - Number(iat)
  const past = life < 60
  const auth = inThePast(past ? 3600 : 0)
  if (type === 'refresh') return auth.createRefreshToken(String(sub))
  return auth.createAccessToken(String(sub), { fresh: fresh === true, ...(past && { expiresIn: '1m' }) })
}

/** The live tokens that stand for the recorded ones. */
class LiveTokens {
  readonly #live = new Map<string, string>()

  /** Remembers the tokens of an answer as those of the recorded one, where both have some. */
  learn(recordedBody: unknown, text: string): void {
    const theirs = JSON.stringify(recordedBody).match(TOKEN) ?? []
    const ours = text.match(TOKEN) ?? []
    if (theirs.length !== ours.length) return
    for (const [index, token] of theirs.entries()) this.#live.set(token, ours[index] ?? '')
  }

  /** Puts live tokens into a part of a request. */
  async fill(text: string): Promise<string> {
    for (const token of text.match(TOKEN) ?? []) {
      if (!this.#live.has(token)) this.#live.set(token, await makeLike(token))
    }
    return text.replace(TOKEN, (token) => this.#live.get(token) ?? '')
  }
}

/**
 * Moves a recorded date to where it lies from now, so that this test does not end with the recorded
 * year.
 */
function moveDate(body: string, { body: answer }: Exchange): string {
  const { access_token = '' } = (answer ?? {}) as { access_token?: string }
  return body.replace(/"(\d{4}-\d\d-\d\dT[\d:]{8})(\+00:00)?"/, (_date, time: string, zone = '') => {
    const ahead = Date.parse(`${time}Z`) - Number(claimsOf(access_token)['iat']) * 1000
    return `"${new Date(Date.now() + ahead).toISOString().slice(0, 19)}${zone}"`
  })
}

async function replay(url: string, exchange: Exchange, tokens: LiveTokens): Promise<Answer> {
  const { method, path, headers, body } = exchange.request
  const filled = await Promise.all(
    headers.map(async ([name, value]): Promise<[string, string]> => [name, await tokens.fill(value)]),
  )
  const sent = body === null ? null : moveDate(await tokens.fill(body), exchange)
  const answer = await receive(
    await fetch(`${url}${path}`, { method, headers: filled, body: sent, redirect: 'manual' }),
  )
  tokens.learn(exchange.body, answer.text)
  return answer
}

/** What an example must answer, with kinds for tokens. */
function expectedOf(exchange: Exchange, ours: Ours | undefined): { status: number; text: string } {
  if (ours === undefined)
    return { status: exchange.status, text: toKinds(JSON.stringify(withMembers(exchange.body))) }
  if ('like' in ours) return expectedOf(exchangeOf(ours.like), undefined)
  if ('introspection' in ours) throw new Error(`${exchange.id} is compared member by member`)
  return ours
}

/** Rule `error-members`. */
function withMembers(body: unknown): unknown {
  const { error_type } = (typeof body === 'object' ? (body ?? {}) : {}) as { error_type?: string }
  if (error_type === undefined) return body
  expect(ADDED, `rule error-members knows ${error_type}`).toHaveProperty(error_type)
  return { ...(body as object), ...ADDED[error_type] }
}

/** Rule `introspection-form`: what the recorded answer says, in our form. */
function introspectionOf(body: unknown, token: string): unknown {
  const theirs = body as Record<string, unknown> & { model_dump: Record<string, unknown> }
  const { sub, type, fresh, scopes } = theirs.model_dump
  const { jti, iat, exp } = claimsOf(token)
  return {
    payload: { sub, jti, iat, exp, type, fresh, scopes: scopes ?? [], data: theirs['model_extra'] },
    expires_at: new Date(Number(exp) * 1000).toISOString(),
    issued_at: new Date(Number(iat) * 1000).toISOString(),
    time_until_expiry: expect.closeTo(Number(theirs['time_until_expiry_s']), -2),
    time_since_issued: expect.closeTo(Number(theirs['time_since_issued_s']), -2),
    has_users_read: theirs['has_users_read'],
    has_users_read_and_write: theirs['has_users_read_and_write'],
    has_any_admin: theirs['has_any_admin'],
  }
}

/** What holds for every answer, whatever was recorded: no recorded answer carried these headers. */
function expectHeaders({ status, headers, text }: Answer, name: string): void {
  if (status === 401) expect.soft(headers.get('www-authenticate'), name).toMatch(/^Bearer/)
  if (text.search(TOKEN) >= 0 || status === 401)
    expect.soft(headers.get('cache-control'), name).toBe('no-store')
  if (/^[{"]/.test(text)) expect.soft(headers.get('content-type'), name).toMatch(/^application\/json/)
}

describe('the recorded exchanges', () => {
  it.each([...EXAMPLES])('of page %s are those of %s', async (page, example) => {
    const { url } = await startExample(example)
    const tokens = new LiveTokens()
    for (const exchange of recorded[page]?.exchanges ?? []) {
      const name = `${page}/${exchange.id}`
      const ours = DIFFERENCES[page]?.[exchange.id]?.ours
      const answer = await replay(url, exchange, tokens)
      expectHeaders(answer, name)
      if (ours !== undefined && 'introspection' in ours) {
        const token = await tokens.fill(JSON.stringify(exchange.request.headers).match(TOKEN)?.[0] ?? '')
        expect.soft(answer.status, name).toBe(exchange.status)
        expect.soft(JSON.parse(answer.text), name).toEqual(introspectionOf(exchange.body, token))
        continue
      }
      const { status, text } = answer
      expect.soft({ status, text: toKinds(text) }, name).toEqual(expectedOf(exchange, ours))
    }
  })

  it('are all replayed', () => {
    expect(Object.keys(recorded).sort()).toEqual([...EXAMPLES.keys()].sort())
  })
})

describe('the closed list of differences', () => {
  const entries = Object.entries(DIFFERENCES).flatMap(([page, list]) =>
    Object.entries(list).map(([id, difference]) => ({ page, id, ...difference })),
  )

  it('names exchanges that exist, and only where the response does differ', () => {
    for (const { page, id, ours } of entries) {
      const exchange = exchangeOf(`${page}/${id}`)
      if ('introspection' in ours) continue
      expect.soft(expectedOf(exchange, ours), `${page}/${id}`).not.toEqual(expectedOf(exchange, undefined))
    }
  })

  it('has a use for every rule', () => {
    expect(new Set(entries.flatMap(({ rules }) => rules))).toEqual(new Set(RULES))
  })

  it('says of what form the recorded body was', () => {
    for (const { page, id, rules, ours } of entries) {
      const body = JSON.stringify(exchangeOf(`${page}/${id}`).body)
      const bothRefuse = body.includes('"error_type":') && 'text' in ours
      expect.soft(rules.includes('detail-bodies'), `${page}/${id}`).toBe(body.startsWith('{"detail":'))
      expect.soft(rules.includes('error-members'), `${page}/${id}`).toBe(bothRefuse)
    }
  })
})
