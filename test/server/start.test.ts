import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { generateKey } from '../../src/index.ts'
import { type Ended, ROOT, runServer, startServer, temporaryFolder } from './process.ts'

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'

function expectOneLine({ code, stdout, stderr }: Ended, expected: RegExp | string): void {
  expect(stderr.split('\n')).toEqual([expect.stringMatching(/^Tokenwright cannot start: /), ''])
  expect(stderr).toMatch(expected)
  expect(stdout).toBe('')
  expect(code).toBe(1)
}

async function login(url: string): Promise<Record<string, string>> {
  const body = new URLSearchParams({ username: 'test', password: 'test' })
  const response = await fetch(`${url}/auth/login`, { method: 'POST', body })
  return (await response.json()) as Record<string, string>
}

async function open(url: string, token = ''): Promise<number> {
  return (await fetch(`${url}/protected`, { headers: { authorization: `Bearer ${token}` } })).status
}

describe('a bad setting', () => {
  it.each([
    [{ PORT: 'abc' }, /PORT must be a whole number/],
    [{ TOKENWRIGHT_SECRET: 'much-too-short' }, /`TOKENWRIGHT_SECRET` to be at least 32 bytes/],
    [{ TOKENWRIGHT_ACCESS_EXPIRES_IN: '15' }, /TOKENWRIGHT_ACCESS_EXPIRES_IN must be a duration/],
    [{ TOKENWRIGHT_FRESHNESS_WINDOW: '1s' }, /TOKENWRIGHT_FRESHNESS_WINDOW must be a duration/],
    [{ TOKENWRIGHT_SESSIONS_OVERLAP: '10m' }, /TOKENWRIGHT_SESSIONS_OVERLAP must be a duration/],
    [{ TOKENWRIGHT_LOG: 'xml' }, /TOKENWRIGHT_LOG must be json or text/],
    [{ DATABASE_URL: 'postgres://user:hunter2@db' }, /DATABASE_URL must be postgres:/],
    [{ REDIS_URL: 'http://user:hunter2@x' }, /REDIS_URL must be redis:/],
    [{ DATABASE_URL: 'sqlite:/proc/nowhere/x.db' }, /the database .* its folder does not exist/],
    [{ DATABASE_URL: 'sqlite:/dev/null/x.db' }, /the database .* its folder is a file/],
    [
      { HOST: '203.0.113.1' },
      /cannot listen on host "203\.0\.113\.1" port 0: this machine has no such address/,
    ],
    [{ HOST: 'host.invalid' }, /cannot listen on host "host\.invalid" port 0: the host is unknown/],
  ])('is one line and exit 1: %j', async (env, expected) => {
    const ended = await runServer(env)
    expectOneLine(ended, expected)
    expect(ended.stderr).not.toMatch(/much-too-short|hunter2/)
  })

  it.each([['--help'], ['--port=9000'], ['--secret', 'hunter2'], ['hunter2']])(
    'is an argument, which is not repeated: %s',
    async (...args) => {
      const ended = await runServer({}, temporaryFolder(), args)
      expectOneLine(ended, /takes no arguments; settings are variables, as in `PORT=9000 npm start`/)
      expect(ended.stderr).not.toContain('hunter2')
    },
  )

  it('leaves no file behind when it is found before the database is opened', async () => {
    const cwd = temporaryFolder()
    await runServer({ PORT: 'abc' }, cwd)
    expect(readdirSync(cwd)).toEqual([])
  })

  it('prints one line when the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    expectOneLine(await runServer({ PORT: String(port) }), `port ${port}: the port is in use`)
  })

  it('prints one line when the file is not a database', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'x.db'), 'no database '.repeat(500))
    expectOneLine(await runServer({ DATABASE_URL: 'sqlite:x.db' }, cwd), 'it is not an SQLite database')
  })
})

describe('a first start', () => {
  it('prints five lines that say where everything is, without a secret', async () => {
    const cwd = temporaryFolder()
    const server = await startServer({}, cwd)
    const path = join(cwd, '.data/tokenwright.db')
    expect(server.stdout().split('\n')).toEqual([
      `Tokenwright ${version} listens on ${server.url} (API: /docs)`,
      'Demo users: test / test, admin / admin',
      `Database:   ${path}`,
      'Sessions:   in the database',
      `Secret:     ${path}.secret`,
      '',
    ])
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`)
    expect(server.stderr()).toBe('')
    expect(server.stdout()).not.toContain(readFileSync(`${path}.secret`, 'utf8').trim())
  })

  it('creates files and folder that other users cannot read', async () => {
    const cwd = temporaryFolder()
    await startServer({}, cwd)
    const folder = join(cwd, '.data')
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toContain('tokenwright.db.secret')
  })

  it('creates no demo users in production', async () => {
    const cwd = temporaryFolder()
    const server = await startServer({ NODE_ENV: 'production' }, cwd)
    expect(server.stdout()).toContain('Demo users: none in production')
    expect(await login(server.url)).toMatchObject({ code: 'credentials_invalid' })
  })

  it('takes a key file in place of a secret, and publishes its keys', async () => {
    const cwd = temporaryFolder()
    const path = join(cwd, 'keys.json')
    writeFileSync(path, JSON.stringify({ keys: [generateKey('ES256', 'first')] }), { mode: 0o600 })
    const server = await startServer({ TOKENWRIGHT_KEYS: 'keys.json' }, cwd)
    expect(server.stdout()).toContain(`Secret:     ${path}\n`)
    expect(existsSync(join(cwd, '.data/tokenwright.db.secret'))).toBe(false)
    const response = await fetch(`${server.url}/.well-known/jwks.json`)
    expect(await response.json()).toMatchObject({ keys: [{ kid: 'first', use: 'sig' }] })
  })

  it.each([
    [
      'is missing',
      { TOKENWRIGHT_KEYS: 'none.json' },
      /the key file \S+none\.json cannot be used: it does not exist/,
    ],
    ['is given beside a secret', { TOKENWRIGHT_KEYS: 'none.json', TOKENWRIGHT_SECRET: SECRET }, /not both$/m],
  ])('does not start where the key file %s', async (_, env, message) => {
    expectOneLine(await runServer(env as Record<string, string>), message)
  })

  it('writes no secret to a file if the settings have one', async () => {
    const cwd = temporaryFolder()
    const server = await startServer({ TOKENWRIGHT_SECRET: SECRET }, cwd)
    expect(server.stdout()).toContain('Secret:     from TOKENWRIGHT_SECRET\n')
    expect(existsSync(join(cwd, '.data/tokenwright.db.secret'))).toBe(false)
    expect(server.stdout() + server.stderr()).not.toContain(SECRET)
  })

  it('writes no file with a database in memory', async () => {
    const cwd = temporaryFolder()
    const server = await startServer({ DATABASE_URL: 'sqlite::memory:' }, cwd)
    expect(await open(server.url, (await login(server.url))['access_token'])).toBe(200)
    expect(readdirSync(cwd)).toEqual([])
  })

  it('listens on IPv6 too', async () => {
    const server = await startServer({ HOST: '::1' })
    expect(server.url).toBe(`http://[::1]:${server.port}`)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
  })
})

describe('a restart', () => {
  it('keeps tokens valid and passwords changed', async () => {
    const cwd = temporaryFolder()
    const first = await startServer({}, cwd)
    const { access_token } = await login(first.url)
    const headers = { authorization: `Bearer ${access_token}` }
    const body = new URLSearchParams({ new_password: 'correct horse' })
    expect((await fetch(`${first.url}/change-password`, { method: 'POST', headers, body })).status).toBe(200)
    const secret = readFileSync(join(cwd, '.data/tokenwright.db.secret'), 'utf8')
    expect((await first.stop()).code).toBe(0)

    const second = await startServer({}, cwd)
    expect(readFileSync(join(cwd, '.data/tokenwright.db.secret'), 'utf8')).toBe(secret)
    expect(second.stdout()).toContain('Demo users: admin / admin\n')
    expect(await open(second.url, access_token)).toBe(200)
    expect(await login(second.url)).toMatchObject({ code: 'credentials_invalid' })
  })

  it('in production reports demo users that the database still has', async () => {
    const cwd = temporaryFolder()
    await (await startServer({}, cwd)).stop()
    const server = await startServer({ NODE_ENV: 'production' }, cwd)
    expect(server.stdout()).toContain('Demo users: test / test, admin / admin\n')
  })

  it('in production does not create the demo users either', async () => {
    const cwd = temporaryFolder()
    await (await startServer({ NODE_ENV: 'production' }, cwd)).stop('SIGINT')
    const server = await startServer({ NODE_ENV: 'production' }, cwd)
    expect(await login(server.url)).toMatchObject({ code: 'credentials_invalid' })
  })
})

it('agrees on one secret and one set of users when several start at once', async () => {
  const cwd = temporaryFolder()
  const servers = await Promise.all(Array.from({ length: 4 }, () => startServer({}, cwd)))
  const tokens = await Promise.all(servers.map((server) => login(server.url)))
  for (const { access_token } of tokens) {
    const statuses = await Promise.all(servers.map((server) => open(server.url, access_token)))
    expect(statuses).toEqual([200, 200, 200, 200])
  }
}, 20_000)

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  it('ends an idle server at once, with 0 and without output', async () => {
    const server = await startServer()
    await fetch(`${server.url}/healthz`)
    const before = server.stdout()
    const start = performance.now()
    expect(await server.stop(signal)).toEqual({ code: 0, signal: null, stdout: before, stderr: '' })
    expect(performance.now() - start).toBeLessThan(1000)
  })

  it('lets a running request finish, takes no new one, and closes the database', async () => {
    const cwd = temporaryFolder()
    const server = await startServer({}, cwd)
    const response = await inFlight(server.port, async () => {
      server.child.kill(signal)
      await expect.poll(() => fetch(server.url).catch((error) => error.cause.code)).toBe('ECONNREFUSED')
      expect(server.child.exitCode).toBeNull()
    })
    expect(response).toMatch(/^HTTP\/1\.1 200 /)
    expect(response).toContain('"access_token":')
    expect(await server.ended).toMatchObject({ code: 0, stderr: '' })
    // The log is empty or gone, so the one file holds everything.
    const log = statSync(join(cwd, '.data/tokenwright.db-wal'), { throwIfNoEntry: false })
    expect(log?.size ?? 0).toBe(0)
  })
})

/** Sends a login, but its last bytes only after `meanwhile` has finished. */
async function inFlight(port: number, meanwhile: () => Promise<void>): Promise<string> {
  const body = 'username=test&password=test'
  const socket = connect(port, '127.0.0.1')
  let response = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    response += text
  })
  const headers = [
    'Host: 127.0.0.1',
    'Content-Type: application/x-www-form-urlencoded',
    `Content-Length: ${body.length}`,
  ]
  socket.write(`POST /auth/login HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${body.slice(0, 10)}`)
  // The server must have started the request. Before that, it may close the connection.
  await new Promise((resolve) => setTimeout(resolve, 200))
  await meanwhile()
  socket.write(body.slice(10))
  await once(socket, 'close')
  return response
}

describe('npm start', () => {
  const npm = ['npm', 'start', '--silent', '--prefix', ROOT]

  it('passes SIGTERM on to the server, which drains', async () => {
    const cwd = temporaryFolder()
    const server = await startServer({ DATABASE_URL: `sqlite:${join(cwd, 'x.db')}` }, cwd, npm)
    const response = await inFlight(server.port, async () => void server.child.kill('SIGTERM'))
    expect(response).toContain('"access_token":')
    expect(await server.ended).toMatchObject({ code: 0, signal: null })
    await expect(fetch(server.url)).rejects.toThrow()
  }, 20_000)

  it('fails with one line of the server when a setting is bad', async () => {
    const cwd = temporaryFolder()
    const started = startServer({ PORT: 'abc' }, cwd, npm)
    await expect(started).rejects.toThrow(
      /ended with 1: .*Tokenwright cannot start: PORT must be a whole number/,
    )
  }, 20_000)
})
