/**
 * The curl commands at the top of the examples, run as a reader copies them: one after the other,
 * with the tokens that they got.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { ROOT } from '../server/process.ts'
import { startExample } from './program.ts'

const run = promisify(execFile)

const NAMES = [
  'fresh-tokens',
  'explicit-refresh',
  'explicit-refresh-fetch',
  'verify-password',
  'token-types',
  'websocket',
]

it.each(NAMES)('of %s do what they say', async (name) => {
  const { url } = await startExample(name)
  const tokens: Record<string, string> = {}
  const commands = commandsOf(name)
  expect(commands.length).toBeGreaterThan(1)
  for (const { command, refused } of commands) {
    const text = command.replaceAll('http://localhost:8000', url)
    const { stdout } = await run('sh', ['-c', `${text} -s -w '\\n%{http_code}'`], {
      env: { PATH: process.env['PATH'], ...tokens },
    })
    const lines = stdout.split('\n')
    expect([command, lines.pop()]).toEqual([command, refused ? '401' : '200'])
    Object.assign(tokens, toTokens(command, lines.join('\n'), tokens))
  }
})

/** The commands of the comment, whole; `refused` where the line before says 401. */
function commandsOf(name: string): readonly { command: string; refused: boolean }[] {
  const source = readFileSync(join(ROOT, `examples/${name}.ts`), 'utf8')
  const comment = source.slice(0, source.indexOf('*/')).replace(/\\\n \* +/g, '')
  const lines = [...comment.matchAll(/^ \* {5}(.*)$/gm)].map(([, line = '']) => line)
  return lines.flatMap((command, at) =>
    command.startsWith('curl ') ? [{ command, refused: lines[at - 1]?.startsWith('# 401') === true }] : [],
  )
}

/** The tokens of a response under the names that the comments use. */
function toTokens(command: string, body: string, known: Record<string, string>): Record<string, string> {
  const { access_token, refresh_token, token } = JSON.parse(body.startsWith('{') ? body : '{}')
  const refresh = refresh_token === undefined ? {} : { REFRESH_TOKEN: refresh_token }
  if (command.includes('/issue')) return { ISSUED_TOKEN: access_token ?? token }
  if (access_token === undefined) return refresh
  if (command.includes('/refresh')) return { ...refresh, NON_FRESH_TOKEN: access_token, TOKEN: access_token }
  const found = { ...refresh, FRESH_TOKEN: access_token, ACCESS_TOKEN: access_token }
  return known['TOKEN'] === undefined ? { ...found, TOKEN: access_token } : found
}
