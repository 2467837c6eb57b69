// npm run invariants -- cluster galera: runs the invariants of sessions on stores of several
// servers, behind a pooler, or of other engines; without a name, on all, one by one.
import { spawnSync } from 'node:child_process'

const TOGETHER = ['races', 'families', 'clocks', 'moved-clocks', 'responses', 'shadowed']
/** Those with processes that share the store. */
const SHARED = [...TOGETHER, 'feed', 'restarts', 'cuts', 'traffic']
const PROCESSES = ['sessions', 'staleness', 'limit'].map((name) => `test/processes/${name}.test.ts`)
const toFiles = (names) => names.map((name) => `test/invariants/${name}.test.ts`)
const FILES = {
  ...Object.fromEntries(
    ['sentinel', 'cluster', 'galera', 'pgbouncer'].map((name) => [name, [...toFiles(SHARED), ...PROCESSES]]),
  ),
  ...Object.fromEntries(['pglite', 'libsql'].map((name) => [name, toFiles(TOGETHER)])),
  // Its simulator takes some milliseconds for a call: hundreds at once run into the deadline.
  d1: toFiles(TOGETHER.filter((name) => name !== 'races')),
}
const ALL = Object.keys(FILES)
const named = process.argv.slice(2)
const unknown = named.find((name) => !ALL.includes(name))
if (unknown !== undefined) {
  console.error(`invariants: on which stores? ${ALL.join(', ')}, not ${JSON.stringify(unknown)}`)
  process.exit(2)
}
let status = 0
for (const name of named.length > 0 ? named : ALL) {
  console.log(`\nThe invariants of sessions on ${name}`)
  const env = { ...process.env, TOKENWRIGHT_TEST_STORES: name }
  const args = ['vitest', 'run', ...FILES[name], '--disable-console-intercept']
  const run = spawnSync('npx', args, { env, stdio: 'inherit' })
  status ||= run.status ?? 1
}
process.exit(status)
