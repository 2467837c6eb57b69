/**
 * Tests of one file that run at the same time. What such a test has opened is closed when that test
 * ends: vitest's own `onTestFinished` would take whichever test began last.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { onTestFinished, type TestContext } from 'vitest'

const contexts = new AsyncLocalStorage<TestContext>()

/** Calls something when the present test has ended, in whatever way. The last one comes first. */
export function onFinished(close: () => unknown): void {
  const context = contexts.getStore()
  const register = context === undefined ? onTestFinished : context.onTestFinished
  register(async () => void (await close()))
}

/** The body of a test that may run beside others: for `it.concurrent` and `describe.concurrent`. */
export function atOnce(body: () => Promise<unknown>): (context: TestContext) => Promise<void> {
  return async (context) => void (await contexts.run(context, body))
}
