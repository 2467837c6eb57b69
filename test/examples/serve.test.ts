/** Every example as a process: it needs no setting, says where it listens, and ends cleanly. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT, startServer, temporaryFolder } from '../server/process.ts'
import { commandOf, send, startExample } from './program.ts'

const SERVING = [
  'fresh-tokens',
  'explicit-refresh',
  'explicit-refresh-fetch',
  'verify-password',
  'token-types',
  'express',
  'fastify',
  'fetch',
  'hono',
  'koa',
  'nest',
  'websocket',
  'pages',
  'totp',
  'magic-link',
  'forms',
  'passkey',
  'oidc',
  'forward-auth',
  'mcp',
  'stored-keys',
]

describe.each(SERVING)('%s', (name) => {
  it('starts without any setting, on a port that it says, and exits 0 on SIGTERM', async () => {
    const program = await startServer({}, temporaryFolder(), commandOf(name))
    expect(program.port).toBeGreaterThan(0)
    expect(program.stdout()).toContain('Secret: generated for this run')
    expect((await send(program.url, 'GET /nowhere')).status).toBe(404)
    expect(await program.stop('SIGTERM')).toMatchObject({ code: 0, signal: null, stderr: '' })
  })
})

it('are all here: every file of examples/ is one that a test runs', () => {
  const files = readdirSync(join(ROOT, 'examples')).filter((file) => file.endsWith('.ts'))
  const known = [...SERVING, 'token-payload'].map((name) => `${name}.ts`)
  expect(files.filter((file) => !known.includes(file))).toEqual([])
})

it('run by their name, and the list of names is the response to another', async () => {
  const script = [process.execPath, join(ROOT, 'scripts/example.mjs')]
  const program = await startServer({}, temporaryFolder(), [...script, 'fresh-tokens'])
  expect(await program.stop()).toMatchObject({ code: 0 })
  const { status, stderr } = spawnSync(process.execPath, [script[1] ?? '', 'nothing'], { encoding: 'utf8' })
  expect(status).toBe(2)
  for (const name of SERVING) expect.soft(stderr).toContain(name)
})

it('keep a secret that is given', async () => {
  const program = await startExample('fresh-tokens')
  expect(program.stdout()).toContain('Secret: from TOKENWRIGHT_SECRET')
})

it('say in one line why they cannot start', () => {
  const [node = '', file = ''] = commandOf('fresh-tokens')
  const { status, stderr } = spawnSync(node, [file], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], PORT: '80a' },
  })
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'The example cannot start: PORT must be a whole number from 0 to 65535\n',
  })
})

it('respond with 400 to a body that is not a JSON object of texts', async () => {
  const { url } = await startExample('fresh-tokens')
  const bodies = ['[]', 'null', '"x"', '{"username":"test"', '{"username":"test","password":["test"]}', '']
  for (const body of bodies) {
    const headers = { 'Content-Type': 'application/json; charset=utf-8' }
    const response = await fetch(`${url}/login`, { method: 'POST', headers, body })
    expect.soft(response.status, body).toBe(400)
    expect.soft(await response.json(), body).toMatchObject({ code: 'request_invalid' })
  }
})
