/** The command: its arguments, what it refuses, and what it leaves behind. */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readArguments } from '../../../packages/create-tokenwright/src/arguments.ts'
import { packageNameOf } from '../../../packages/create-tokenwright/src/write-project.ts'
import { ROOT } from '../../architecture/source.ts'

const PROGRAM = join(ROOT, 'packages/create-tokenwright/dist/main.js')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokenwright-create-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Runs the command without a terminal. */
function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
  })
  return { status, output: stdout + stderr }
}

describe('arguments', () => {
  it('are a folder and choices', () => {
    expect(readArguments(['my-app', '--store', 'sqlite', '--proofs=password+totp', '-y'])).toEqual({
      folder: 'my-app',
      given: { store: 'sqlite', proofs: 'password+totp' },
      yes: true,
    })
  })

  it.each([
    [['--framework', 'expres'], '--framework is one of hono, express, fastify'],
    [['--framework', 'expres'], 'got "expres". Did you mean express?'],
    [['--store', 'postgresql'], 'Did you mean postgres?'],
    [['--framwork', 'hono'], 'Unknown option --framwork. Did you mean --framework?'],
    [['--docker'], 'Unknown option --docker'],
    [['--store'], '--store needs a value: memory, sqlite, postgres, redis'],
    [['--store='], '--store needs a value'],
    [['--store', 'redis', '--store', 'sqlite'], '--store is given twice'],
    [['--yes=no'], '--yes takes no value'],
    [['one', 'two'], 'Expected one folder, got 2: one, two'],
  ])('%j are refused: %s', (args, message) => {
    expect(() => readArguments(args)).toThrow(message)
  })

  it.each([
    ['My App', 'such as my-app'],
    ['.hidden', 'such as hidden'],
    ['node_modules', 'got "node_modules"'],
  ])('the folder %s is refused: %s', (name, message) => {
    expect(() => packageNameOf(join('/somewhere', name))).toThrow(message)
  })
})

describe('without a terminal', () => {
  it('takes the defaults and says so', () => {
    const { status, output } = run()
    expect(status).toBe(0)
    for (const line of ['framework: hono (default)', 'store: memory (default)', 'Written to tokenwright-app'])
      expect(output).toContain(line)
    expect(existsSync(join(folder, 'tokenwright-app/src/app.ts'))).toBe(true)
  })

  it('makes a secret for the user alone, which it does not print', () => {
    const { output } = run('app', '--proofs', 'password+totp')
    const file = join(folder, 'app/.env')
    const [, secret = '', key = ''] =
      /^TOKENWRIGHT_SECRET=(\S{64})\nDEMO_TOTP_KEY=([A-Z2-7]{32})\n$/.exec(readFileSync(file, 'utf8')) ?? []
    expect(secret).not.toBe('')
    expect(output).not.toContain(secret)
    expect(output).not.toContain(key)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(folder, 'app/.env.example'), 'utf8')).toBe(
      'TOKENWRIGHT_SECRET=\nDEMO_TOTP_KEY=\n',
    )
    expect(readFileSync(join(folder, 'app/.gitignore'), 'utf8')).toMatch(/^\.env$/m)
  })

  it('writes into an empty folder, also the one it is run in', () => {
    const home = join(folder, 'empty')
    mkdirSync(home)
    expect(run('empty').status).toBe(0)
    expect(readdirSync(home)).toContain('package.json')
    expect(readdirSync(folder)).toEqual(['empty'])
  })

  it('refuses a folder that is not empty, and a file, and touches neither', () => {
    mkdirSync(join(folder, 'full'))
    writeFileSync(join(folder, 'full/notes.txt'), 'mine')
    writeFileSync(join(folder, 'file'), 'mine')
    const full = run('full')
    expect(full).toEqual({ status: 2, output: expect.stringContaining('full is not empty (1 entry)') })
    expect(run('file')).toEqual({ status: 2, output: expect.stringContaining('file is a file') })
    expect(readdirSync(join(folder, 'full'))).toEqual(['notes.txt'])
    expect(readFileSync(join(folder, 'full/notes.txt'), 'utf8')).toBe('mine')
    expect(readdirSync(folder).sort()).toEqual(['file', 'full'])
  })

  it('says a wrong argument and writes nothing', () => {
    expect(run('app', '--delivery', 'cokie')).toEqual({
      status: 2,
      output: expect.stringContaining('Did you mean cookie?'),
    })
    expect(readdirSync(folder)).toEqual([])
  })

  it('says its options and its version', () => {
    expect(run('--help').output).toContain('--framework <value>')
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    expect(run('--version').output).toBe(`${version}\n`)
  })
})
