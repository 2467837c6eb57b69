/**
 * WebKitGTK, driven over WebDriver (https://w3c.github.io/webdriver/) under a display of its own.
 * It is the engine of Safari with another network layer and another cookie store.
 */

import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { type Engine, findProgram, startProgram, type Tab } from './engine.ts'

const DRIVER = findProgram('/usr/bin/WebKitWebDriver')
const DISPLAY = findProgram('/usr/bin/Xvfb')

type Send = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) => Promise<unknown>

async function findPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** What sends a command; only its own errors are errors. */
function createSend(url: string): Send {
  return async (method, path, body) => {
    const response = await fetch(url + path, { method, ...(body && { body: JSON.stringify(body) }) })
    const { value } = (await response.json()) as { value: unknown }
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(value)}`)
    return value
  }
}

/** Waits until the driver listens. */
async function startSession(send: Send): Promise<string> {
  const capabilities = { alwaysMatch: { acceptInsecureCerts: true } }
  for (let tried = 0; ; tried++) {
    try {
      const { sessionId } = (await send('POST', '/session', { capabilities })) as { sessionId: string }
      return sessionId
    } catch (error) {
      if (tried === 50 || !/fetch failed/.test(String(error))) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** Starts a function in the page; its outcome is left there, since the driver does one thing at a time. */
const START = (run: string, id: string, argument: unknown): string => `
  const outcomes = (window.outcomes ??= {})
  const run = async () => JSON.stringify((await (${run})(${JSON.stringify(argument ?? null)})) ?? null)
  run().then((value) => { outcomes[${id}] = { value } }, (error) => { outcomes[${id}] = { error: String(error) } })`

const TAKE = (id: string): string => `
  const outcome = window.outcomes ? window.outcomes[${id}] : { error: 'the page was left' }
  return outcome ?? null`

/** @param base a window that stays open, since only from an open one comes another */
function createOpen(send: Send, base: unknown): () => Promise<Tab> {
  let last = 0
  let tail: Promise<unknown> = Promise.resolve()
  /** Commands are about the current window, so each is sent with its window, one after the other. */
  const queue = <T>(work: () => Promise<T>): Promise<T> => {
    const done = tail.then(work)
    tail = done.catch(() => undefined)
    return done
  }
  return async () => {
    const { handle } = (await queue(async () => {
      await send('POST', '/window', { handle: base })
      return send('POST', '/window/new', { type: 'window' })
    })) as { handle: string }
    const inWindow = (...command: Parameters<Send>): Promise<unknown> =>
      queue(async () => {
        await send('POST', '/window', { handle })
        return send(...command)
      })
    const execute = (script: string): Promise<unknown> =>
      inWindow('POST', '/execute/sync', { script, args: [] })
    return {
      async evaluate(run: (argument: never) => unknown, argument?: unknown) {
        const id = String(++last)
        await execute(START(String(run), id, argument))
        for (;;) {
          const outcome = (await execute(TAKE(id))) as { value: string; error?: string } | null
          if (outcome?.error) throw new Error(outcome.error)
          if (outcome) return JSON.parse(outcome.value)
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
      },
      navigate: async (url) => void (await inWindow('POST', '/url', { url })),
      back: async () => void (await inWindow('POST', '/back', {})),
      close: async () => void (await inWindow('DELETE', '/window')),
    }
  }
}

export const WEBKIT: Engine = {
  name: 'WebKit',
  programs: [DRIVER, DISPLAY],
  packages: 'webkit2gtk-driver xvfb',
  takesSecureCookies: false,
  async launch() {
    // It picks a free display and says which.
    const display = startProgram(DISPLAY ?? '', [
      '-displayfd',
      '1',
      '-screen',
      '0',
      '1280x800x24',
      '-nolisten',
      'tcp',
    ])
    const [number = ''] = await display.printed(/^\d+(?=\n)/m)
    const port = await findPort()
    const driver = startProgram(DRIVER ?? '', [`--port=${port}`], {
      DISPLAY: `:${number}`,
      GDK_BACKEND: 'x11',
      // The sandbox needs rights that a container does not have.
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
      DBUS_SESSION_BUS_ADDRESS: 'disabled:',
      NO_AT_BRIDGE: '1',
      GSETTINGS_BACKEND: 'memory',
    })
    const url = `http://127.0.0.1:${port}`
    const session = await startSession(createSend(url))
    const send = createSend(`${url}/session/${session}`)
    return {
      open: createOpen(send, await send('GET', '/window')),
      async close() {
        await driver.stop()
        await display.stop()
      },
    }
  },
}
