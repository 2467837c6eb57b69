/** The command on a terminal, which `script` of util-linux stands in for: colors, questions, progress. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomId } from '../../src/internal/bytes.ts'
import { openDatabase, type TestDatabase, toDraft } from '../stores/sql-databases.ts'
import { PROGRAM } from './run.ts'

const SCRIPT = '/usr/bin/script'
const HAS_SCRIPT = existsSync(SCRIPT)
if (!HAS_SCRIPT)
  console.error(`\n!!! no ${SCRIPT} on this machine: the command on a terminal is NOT TESTED\n`)

/** What is typed once a text has been shown. */
type Typing = readonly [after: string, keys: string]

/** Runs the command on a terminal, and resolves to its status and all that was shown. */
function runOnTerminal(
  args: string,
  env: Readonly<Record<string, string>> = {},
  typing?: Typing,
): Promise<{ readonly code: number | null; readonly shown: string }> {
  const command = `${process.execPath} --no-warnings ${PROGRAM} ${args}`
  const { NO_COLOR: _, ...own } = process.env
  const child = spawn(SCRIPT, ['-qec', command, '/dev/null'], { env: { ...own, TERM: 'xterm', ...env } })
  let shown = ''
  let isTyped = false
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    shown += part
    if (typing === undefined || isTyped || !shown.includes(typing[0])) return
    isTyped = true
    child.stdin.write(typing[1])
  })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, shown })))
}

describe.skipIf(!HAS_SCRIPT)('on a terminal', { timeout: 60_000 }, () => {
  let database: TestDatabase
  let store: string
  beforeAll(async () => {
    database = await openDatabase('sqlite')
    store = `--store sqlite:${database.path}`
    await database.store.start(toDraft({ sid: randomId(), sub: 'ada', idle: 900, absolute: 900 }), null)
  })
  afterAll(() => database.close())

  it('has colors, unless it is told otherwise', async () => {
    const call = `sessions list ada ${store}`
    expect((await runOnTerminal(call)).shown).toContain('\u001b[1msession')
    expect((await runOnTerminal(call, { NO_COLOR: '1' })).shown).not.toContain('\u001b[')
  })

  it('asks before it ends all, and ends nothing without a yes', async () => {
    const call = `sessions end-all ada ${store}`
    const owner = { sub: 'ada', realm: null }
    const question = 'End 1 live sessions and all tokens of ada? [y/N]'
    for (const [keys, status] of [
      ['n\r', 1],
      ['\u0004', 1],
      ['\u0003', 130],
    ] as const) {
      const { code, shown } = await runOnTerminal(call, {}, [question, keys])
      expect([JSON.stringify(keys), code]).toEqual([JSON.stringify(keys), status])
      expect(shown).toContain(status === 1 ? 'Nothing was ended' : 'Interrupted by SIGINT')
    }
    expect(await database.store.list(owner, null)).toHaveLength(1)
    const { code, shown } = await runOnTerminal(`${call} --json`, {}, [question, 'y\r'])
    expect([code, shown]).toEqual([0, expect.stringContaining('{"subject":"ada","realm":null,"ended":1}')])
    expect(await database.store.list(owner, null)).toHaveLength(0)
    expect((await runOnTerminal(`${call} --yes`)).shown).not.toContain('[y/N]')
  })

  it('shows how much is pruned, on a line that goes again', async () => {
    const now = await database.store.now()
    for (let i = 0; i < 20; i++) await database.store.revokeToken(randomId(), now - 1, now - 900)
    const { code, shown } = await runOnTerminal(`prune ${store}`)
    expect(code).toBe(0)
    const plain = shown.replaceAll('\u001b[K', '<clear>')
    expect(plain).toMatch(/\r\d+ records deleted<clear>\r<clear>Deleted \d+ records in [\d.]+ s\r\n$/)
  })
})
