/**
 * The command `refresh-races` as its users run it: on the reference server, on an endpoint that
 * loses sessions, and with bad arguments.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readArguments } from '../../packages/refresh-races/src/arguments.ts'
import { ROOT, startServer } from '../server/process.ts'

const COMMAND = join(ROOT, 'packages/refresh-races/dist/main.js')
const LOGIN = { username: 'test', password: 'test' }

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

/**
 * Ten users refresh once each, with their tabs; everything 15 times as fast, so an overlap of 2 s
 * stands for 30 s.
 */
const SHORT = ['--cycles', '10', '--thieves', '0', '--speed', '15'] as const

describe('on the reference server', () => {
  it('loses no session, with the token in the body', async () => {
    const { url } = await startServer({ TOKENWRIGHT_SESSIONS_OVERLAP: '2s' })
    const body = JSON.stringify({ ...LOGIN, delivery: 'body' })
    const { code, stdout, stderr } = await run(`${url}/auth/refresh`, '--body', body, ...SHORT)
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^\| 127\.0\.0\.1:\d+ \| 0 of 10 \| - \| - \| - \| not asked \|$/m)
    expect(stdout).toContain('No session was lost in 10 cycles.')
    expect(code).toBe(0)
  }, 90_000)

  it('loses no session, with cookies and their CSRF header, and finds thieves', async () => {
    const { url } = await startServer({ TOKENWRIGHT_SESSIONS_OVERLAP: '1s' })
    const { code, stdout, stderr } = await run(
      ...[`${url}/auth/refresh`, '--login-body', JSON.stringify({ ...LOGIN, delivery: 'cookie' })],
      ...['--refresh-by', 'cookie', '--echo', '__Host-csrf_token=X-CSRF-Token', '--header', `Origin: ${url}`],
      ...['--cycles', '10', '--thieves', '1', '--watched', '2', '--speed', '30', '--json'],
    )
    expect(stderr).toBe('')
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({ cycles: 10, lost: 0, outages: 0, random: { thieves: 1 } })
    expect(report.refreshes).toBeGreaterThan(10)
    expect(code).toBe(0)
  }, 90_000)
})

describe('on an endpoint of another', () => {
  let server: Server
  let url: string

  /** Strict single use: a token that was used once is refused, and ends the session. */
  beforeAll(async () => {
    const current = new Map<string, string>()
    server = createServer((request, response) => {
      let text = ''
      request.setEncoding('utf8').on('data', (part) => {
        text += part
      })
      request.on('end', () => {
        const body = text === '' ? {} : JSON.parse(text)
        const [session = '', token = ''] = String(body.token ?? '').split('.')
        const known = request.url === '/session/login' ? randomUUID() : session
        if (request.url === '/session/refresh' && current.get(session) !== token) {
          current.delete(session)
          response.writeHead(401).end('{}')
          return
        }
        const next = randomUUID()
        current.set(known, next)
        response.writeHead(200).end(JSON.stringify({ data: { token: `${known}.${next}` } }))
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/session/refresh`
  })
  afterAll(() => server.close())

  it('finds the sessions that it loses, and exits with 1', async () => {
    const { code, stdout } = await run(url, '--body', '{}', '--token-path', 'data.token', ...SHORT)
    expect(stdout).toMatch(/\| [1-9]\d* of 10 \|/)
    expect(code).toBe(1)
  }, 90_000)

  it('says where it looked for a token that is not there', async () => {
    const { code, stderr } = await run(url, '--body', '{}', ...SHORT)
    expect(stderr).toMatch(/\/session\/login returns no string at "refresh_token".*--token-path/)
    expect(code).toBe(2)
  })
})

describe('arguments', () => {
  it('explains itself, and says which version it is', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('Exit codes:') })
    expect(await run('--version')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+(?:-rc\.\d+)?\n$/),
    })
  })

  it('exits with 2 where nothing responds, and says why', async () => {
    const { code, stderr } = await run('http://127.0.0.1:9/auth/refresh', '--body', '{}')
    expect(stderr).toMatch(/^refresh-races: .+\n$/)
    expect(code).toBe(2)
  })

  const REFRESH = 'https://app.example/auth/refresh'
  it.each([
    [[], /Give the refresh URL/],
    [['app.example/refresh'], /must begin with http/],
    [[REFRESH, REFRESH, '--body', '{}'], /Give one URL/],
    [[REFRESH], /--body/],
    [[REFRESH, '--body', '{"password":"hunter2"'], /--body must be JSON/],
    [[REFRESH, '--body', '{}', '--cycles', '0'], /--cycles must be a whole number from 1, got "0"/],
    [[REFRESH, '--body', '{}', '--tabs', '1.5'], /--tabs must be a whole number/],
    [[REFRESH, '--body', '{}', '--speed', 'fast'], /--speed must be a number/],
    [[REFRESH, '--body', '{}', '--refresh-by', 'query'], /--refresh-by must be body, header, cookie/],
    [[REFRESH, '--body', '{}', '--header', 'Origin'], /--header must be a name, a colon and a value/],
    [[REFRESH, '--body', '{}', '--echo', 'csrf'], /--echo must be a cookie and a header/],
    [[REFRESH, '--body', '{}', '--cycle', '3'], /--cycle/],
  ])('refuses %j', (args, reason) => {
    expect(() => readArguments(args)).toThrow(reason)
    try {
      readArguments(args)
    } catch (error) {
      expect(String(error)).not.toContain('hunter2')
    }
  })

  it('finds the login beside the refresh, and the member by the path', () => {
    expect(readArguments([REFRESH, '--body', '{}', '--token-path', 'data.refreshToken'])).toMatchObject({
      target: { login: 'https://app.example/auth/login', field: 'refreshToken', by: 'body', echo: undefined },
      cycles: 100,
    })
  })
})
