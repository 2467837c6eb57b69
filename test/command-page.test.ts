/** The page of the command is what `scripts/command-page.mjs` writes from its tables, and `--help` prints. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../src/cli/command-list.ts'
import { CHECKS } from '../src/cli/doctor/checks.ts'
import * as help from '../src/cli/help.ts'
import { OPTIONS } from '../src/cli/option-table.ts'
import { ROOT } from './architecture/source.ts'
import { run } from './cli/run.ts'

type ToPage = (names: readonly string[], from: typeof help, checks: typeof CHECKS) => string

const { toCommandPage }: { toCommandPage: ToPage } = await import(join(ROOT, 'scripts/command-page.mjs'))

describe('docs/reference/command.md', () => {
  it('is what `npm run docs:command` writes', () => {
    const page = readFileSync(join(ROOT, 'docs/reference/command.md'), 'utf8')
    expect(page, 'run `npm run docs:command`').toBe(toCommandPage(Object.keys(COMMANDS), help, CHECKS))
  })
})

describe('--help', () => {
  it('is of all commands, of a group, of one', async () => {
    const texts = [help.formatOverview(''), help.formatOverview('keys'), help.formatCommand('keys rotate')]
    const calls = [['--help'], ['keys', '--help'], ['keys', 'rotate', '-h']]
    for (const [i, call] of calls.entries())
      expect(await run(call)).toEqual({ code: 0, stdout: texts[i], stderr: '' })
    expect(texts[0]).toContain('sessions end-all <subject>')
    expect(texts[1]).not.toContain('sessions')
  })

  it('names each option that a command takes, and no option is of no command', () => {
    const used = new Set(Object.values(COMMANDS).flatMap(({ options }) => options))
    expect([...used].sort()).toEqual(Object.keys(OPTIONS).sort())
    for (const [name, { options }] of Object.entries(COMMANDS))
      for (const option of options) expect(help.formatCommand(name)).toContain(`--${option}`)
  })
})
