/**
 * Two processes over real HTTP: one signs users in, with Express, SQLite and the built library; the
 * other one has no store, and guards routes with Express and with fetch.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { guards as expressGuards } from '../../src/adapters/express.ts'
import { guards as fetchGuards } from '../../src/adapters/fetch.ts'
import type { Auth } from '../../src/index.ts'
import { sqlStatements } from '../../src/stores/sql.ts'
import type { IssuerSpec } from './node/issuer.ts'
import { CREDENTIALS, createService, ISSUER, KEY, type Listening, listen, until } from './services.ts'

const MAIN = new URL('../../dist/test/remote/node/issuer.js', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'tokenwright-feed-'))
const store = { kind: 'sqlite', name: join(folder, 'sessions.db') } as const

let issuer: ChildProcess
let origin = ''
let auth: Auth
let service: Listening
let byFetch: (request: Request) => Promise<Response>

async function startIssuer(port: number): Promise<void> {
  const spec: IssuerSpec = { store, key: KEY, issuer: ISSUER, client: CREDENTIALS, port }
  issuer = fork(MAIN, [], { env: { ...process.env, TOKENWRIGHT_ISSUER: JSON.stringify(spec) }, execArgv: [] })
  origin = await new Promise<string>((resolve) =>
    issuer.once('message', (message) => resolve(String(message))),
  )
}

async function kill(): Promise<void> {
  const ended = new Promise((resolve) => issuer.once('exit', resolve))
  issuer.kill('SIGKILL')
  await ended
}

async function login(username: string): Promise<string> {
  const response = await fetch(`${origin}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password: 'x', delivery: 'body' }),
  })
  return ((await response.json()) as { access_token: string }).access_token
}

const toHeaders = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

/** The status of a guarded route, by Express and by fetch. */
async function ask(token: string): Promise<string> {
  const responses = await Promise.all([
    fetch(`${service.origin}/orders`, toHeaders(token)),
    byFetch(new Request('http://localhost/orders', toHeaders(token))),
  ])
  return responses.map(({ status }) => status).join(' ')
}

beforeAll(async () => {
  const { DatabaseSync } = await import('@photostructure/sqlite')
  const database = new DatabaseSync(store.name)
  for (const statement of sqlStatements('sqlite')) database.exec(statement)
  database.close()
  await startIssuer(0)
  auth = createService(`${origin}/auth/revocations`, { revocation: { maxStale: '2s' } })
  const app = express()
  app.get('/orders', expressGuards(auth).access(), (_req, res) => {
    res.json([])
  })
  service = await listen(app)
  byFetch = fetchGuards(auth).access()(() => Response.json([])) as typeof byFetch
})
afterAll(async () => {
  await service.close()
  await auth.close()
  await kill()
  rmSync(folder, { recursive: true, force: true })
})

describe('a service in another process', () => {
  it('refuses a revoked token within a second of `endAll`, in every adapter', async () => {
    const bob = await login('bob')
    for (let round = 0; round < 5; round++) {
      const alice = await login('alice')
      expect(await ask(alice)).toBe('200 200')
      await fetch(`${origin}/end-all/alice`, { method: 'POST' })
      expect(await until('401 401', () => ask(alice))).toBeLessThan(1)
    }
    expect(await ask(bob)).toBe('200 200')
  })

  it('responds with 503 after `maxStale` without the issuer, and heals', async () => {
    const [alice, bob] = [await login('alice'), await login('bob')]
    await fetch(`${origin}/end-all/alice`, { method: 'POST' })
    await until('401 401', () => ask(alice))
    await kill()
    expect(await ask(bob)).toBe('200 200')
    const seconds = await until('503 503', () => ask(bob))
    expect(seconds).toBeGreaterThan(0.5)
    expect(seconds).toBeLessThan(3)
    // What is known to be revoked stays revoked.
    expect(await ask(alice)).toBe('401 401')
    await startIssuer(Number(new URL(origin).port))
    expect(await until('200 200', () => ask(bob))).toBeLessThan(5)
    expect(await ask(alice)).toBe('401 401')
    await fetch(`${origin}/end-all/bob`, { method: 'POST' })
    expect(await until('401 401', () => ask(bob))).toBeLessThan(1)
  })
})
