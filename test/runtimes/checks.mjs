// What the suites share: how a refusal is told, and how tests are run one after the other.
import assert from 'node:assert/strict'
import { isAuthError } from 'tokenwright'

/** The code of what a call is refused with; `'ok'` for nothing. */
export async function codeOf(work) {
  try {
    await work()
    return 'ok'
  } catch (error) {
    assert(isAuthError(error), `no AuthError: ${error?.stack ?? error}`)
    return error.code
  }
}

/** Changes one character in the middle of a token's last segment. */
export function breakSignature(token) {
  const at = token.length - 20
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
}

/**
 * Runs all tests, but those whose names begin so; `report` hears of each as it ends, so that a run
 * that hangs tells where.
 */
export async function run(tests, report, without = []) {
  const tally = { passed: 0, failed: 0 }
  for (const [name, test] of Object.entries(tests)) {
    if (without.some((start) => name.startsWith(start))) continue
    try {
      await test()
      tally.passed += 1
      report(`  ok      ${name}`)
    } catch (error) {
      tally.failed += 1
      report(`  FAILED  ${name}: ${error?.stack ?? error}`)
    }
  }
  report(`${tally.passed} passed, ${tally.failed} failed`)
}
