/**
 * The commands of docs/operations/runbook.md, run in its order on a real PostgreSQL, while a user is
 * signed in at the reference server.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Pool } from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { ROOT, type RunningServer, startServer, temporaryFolder } from '../server/process.ts'
import { waitFor } from '../stores/redis-server.ts'
import { HAS, PG } from '../stores/sql-databases.ts'

const run = promisify(execFile)

const PAGE = readFileSync(join(ROOT, 'docs/operations/runbook.md'), 'utf8')

/** The commands below a heading, as they stand there. */
function commandsOf(heading: string): string {
  const [, section = ''] = PAGE.split(`\n## ${heading}\n`)
  const [, commands = ''] = /```sh\n([\s\S]*?)```/.exec(section.split('\n## ')[0] ?? '') ?? []
  expect([heading, commands]).not.toEqual([heading, ''])
  return commands
}

/** A folder in which `npx tokenwright` is the command of this repository. */
function createTerminal(env: Readonly<Record<string, string>>) {
  const cwd = temporaryFolder()
  const bin = join(cwd, 'bin')
  mkdirSync(bin)
  // The command takes the drivers of the project that it is run in.
  symlinkSync(join(ROOT, 'node_modules'), join(cwd, 'node_modules'))
  const cli = join(ROOT, 'dist/esm/cli.js')
  writeFileSync(join(bin, 'npx'), `#!/bin/sh\nshift\nexec '${process.execPath}' '${cli}' "$@"\n`, {
    mode: 0o755,
  })
  const type = async (heading: string): Promise<string> => {
    const { PATH = '', HOME = '' } = process.env
    const { stdout } = await run('sh', ['-e', '-c', commandsOf(heading)], {
      cwd,
      env: { PATH: `${bin}:${PATH}`, HOME, ...env },
    })
    return stdout
  }
  return { type }
}

async function createDatabase(): Promise<string> {
  const name = `runbook_${randomBytes(4).toString('hex')}`
  const operator = new Pool(PG)
  await operator.query(`create database ${name}`)
  onTestFinished(async () => {
    await operator.query(`drop database ${name} with (force)`)
    await operator.end()
  })
  return `postgres://${PG.user}@${PG.host}:${PG.port}/${name}`
}

async function login({ url }: RunningServer): Promise<string> {
  const body = new URLSearchParams({ username: 'test', password: 'test' })
  const response = await fetch(`${url}/auth/login`, { method: 'POST', body })
  return ((await response.json()) as { access_token: string }).access_token
}

async function open({ url }: RunningServer, token: string): Promise<number> {
  return (await fetch(`${url}/protected`, { headers: { authorization: `Bearer ${token}` } })).status
}

it.skipIf(!HAS.postgres)(
  'each step of the runbook does what it says',
  async () => {
    const DATABASE_URL = await createDatabase()
    const TOKENWRIGHT_KEYS = join(temporaryFolder(), 'keys.json')
    const { type } = createTerminal({ DATABASE_URL, TOKENWRIGHT_KEYS, SUBJECT: 'test' })

    await type('Start')
    expect(statSync(TOKENWRIGHT_KEYS).mode & 0o777).toBe(0o600)
    const server = await startServer({ DATABASE_URL, TOKENWRIGHT_KEYS })
    const token = await login(server)
    expect(await open(server, token)).toBe(200)

    expect((await type('Rotate keys')).trim().split('\n').at(-1)).toMatch(/announced, signs from/)
    expect(await open(server, token)).toBe(200)

    await type('Back up')
    await type('End the sessions of a user')
    await waitFor(async () => (await open(server, token)) === 401)
    // What was ended since the backup stays ended, as a process knows of it.
    await type('Restore')
    expect(await open(server, token)).toBe(401)

    const other = await login(server)
    expect((await type('A key was stolen')).trim().split('\n').at(-1)).toMatch(/^\S+ ES256 signing$/)
    await server.stop()
    const restarted = await startServer({ DATABASE_URL, TOKENWRIGHT_KEYS })
    expect(await open(restarted, other)).toBe(401)
    expect(await open(restarted, await login(restarted))).toBe(200)
  },
  90_000,
)
