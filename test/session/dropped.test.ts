/** Applications that are dropped without `close`: they leave nothing behind that goes on by itself. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Auth } from '../../src/auth/auth.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { setUp } from '../token/forge.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Lets go of all that nothing refers to, also of what the last job has looked at. */
async function forget(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
}

/** An application, and how often its log was read. */
function open(): { auth: Auth; reads: () => number } {
  const store = memoryStore()
  const readLog = vi.spyOn(store, 'readLog')
  return { auth: setUp({ sessions: { store } }).auth, reads: () => readLog.mock.calls.length }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('an application that follows the log', () => {
  it('goes on while it is in use, and not after it was dropped', async () => {
    const opened = { ...open() }
    const { reads } = opened
    await opened.auth.ready()
    await forget()
    await vi.advanceTimersByTimeAsync(2000)
    expect(reads()).toBe(6)
    opened.auth = open().auth
    await forget()
    await vi.advanceTimersByTimeAsync(2000)
    expect(reads()).toBe(6)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('goes on for a caller who waits until it is ready', async () => {
    const ready = vi.fn()
    async function wait(): Promise<void> {
      const store = memoryStore()
      vi.spyOn(store, 'readLog').mockRejectedValueOnce(new Error('down'))
      const { auth } = setUp({ sessions: { store } })
      await expect(auth.ready()).rejects.toThrow()
      void auth.ready().then(ready)
    }
    await wait()
    await forget()
    await vi.advanceTimersByTimeAsync(1000)
    expect(ready).toHaveBeenCalledOnce()
  })

  it('goes on for what it still follows', async () => {
    const ended = vi.fn()
    const store = memoryStore()
    const other = setUp({ sessions: { store } }).auth
    async function follow(): Promise<void> {
      const { auth } = setUp({ sessions: { store } })
      const { access_token } = await auth.sessions.start('user-1')
      auth.follow(await auth.verifyToken(access_token), ended)
    }
    await follow()
    await forget()
    await vi.advanceTimersByTimeAsync(1000)
    await forget()
    expect(ended).not.toHaveBeenCalled()
    await other.revokeSubject('user-1')
    await vi.advanceTimersByTimeAsync(1000)
    expect(ended).toHaveBeenCalledOnce()
    await other.close()
  })
})
