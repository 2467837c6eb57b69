// Reads vitest's JSON report for .ci/run. Prints the numbers of passed, failed and skipped tests,
// and on stderr those that failed or were skipped.
import { readFileSync } from 'node:fs'

/** The most characters that are printed of one failure. */
const CHARACTERS = 1_000

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const tests = report.testResults.flatMap((file) =>
  file.assertionResults.map((test) => ({ ...test, file: file.name })),
)
const count = (...statuses) => tests.filter((test) => statuses.includes(test.status)).length
// A file that cannot be loaded fails without tests.
const broken = report.testResults.filter(
  (file) => file.status === 'failed' && file.assertionResults.length === 0,
)

for (const test of tests) {
  if (['skipped', 'pending', 'todo', 'disabled'].includes(test.status))
    console.error(`skipped: ${test.file} ${test.fullName}`)
  if (test.status === 'failed')
    console.error(
      `failed: ${test.file} ${test.fullName}\n${test.failureMessages.join('\n').slice(0, CHARACTERS)}`,
    )
}
for (const { name, message } of broken) console.error(`failed: ${name}\n${message.slice(0, CHARACTERS)}`)
const skipped = count('skipped', 'pending', 'todo', 'disabled')
console.log(`${count('passed')} ${count('failed') + broken.length} ${skipped}`)
