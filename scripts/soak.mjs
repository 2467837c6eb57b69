// npm run soak -- 30m: runs test/soak for that long in all, `s`, `m` or `h`. Prints what it does.
import { spawn } from 'node:child_process'

const UNITS = { s: 1, m: 60, h: 3600 }
const [text = '30m'] = process.argv.slice(2)
const [, count, unit] = /^(\d+)([smh])$/.exec(text) ?? []
if (count === undefined || Number(count) === 0) {
  console.error(`soak: how long? Such as 90s, 30m or 8h, not ${JSON.stringify(text)}`)
  process.exit(2)
}
const env = { ...process.env, TOKENWRIGHT_SOAK: String(Number(count) * UNITS[unit]) }
const args = ['vitest', 'run', 'test/soak', '--disable-console-intercept']
const child = spawn('npx', args, { env, stdio: 'inherit' })
// It prints what it has found so far, and ends.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.once('exit', (code) => process.exit(code ?? 1))
