/** Counts checks and prints a line for each; what is wrong is listed below its line. */
const counts = { passed: 0, failed: 0 }

/** Runs one check: a function that returns what is wrong, as lines, or throws. */
export async function check(title, find) {
  const started = Date.now()
  let problems
  try {
    problems = (await find()) ?? []
  } catch (error) {
    problems = [error.stack ?? String(error)]
  }
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  counts[problems.length === 0 ? 'passed' : 'failed']++
  console.log(`${problems.length === 0 ? 'ok' : 'FAILED'}: ${title} (${seconds} s)`)
  for (const problem of problems.slice(0, 40)) console.log(`    ${problem}`)
  if (problems.length > 40) console.log(`    and ${problems.length - 40} more`)
}

/** Prints the sum, and lets the process end with status 1 when a check failed. */
export function conclude() {
  console.log(`${counts.passed} passed, ${counts.failed} failed, 0 skipped`)
  if (counts.failed > 0) process.exitCode = 1
}
