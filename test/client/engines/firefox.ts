/** Firefox, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which it speaks itself. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { type Engine, findProgram, startProgram, type Tab } from './engine.ts'

const PROGRAM = findProgram('/usr/bin/firefox-esr', '/usr/bin/firefox')

/** Nothing is fetched or shown that no test asks for. */
const PREFERENCES = {
  'app.normandy.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.homepage_override.mstone': 'ignore',
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.enabled': false,
}

type Result = Readonly<Record<string, unknown>>
type Send = (method: string, params: object) => Promise<Result>

/** Connects and returns what sends a command. */
async function connect(url: string): Promise<{ send: Send; close: () => void }> {
  const socket = new WebSocket(url)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const waiting = new Map<number, (message: Result) => void>()
  let last = 0
  socket.on('message', (data) => {
    const message = JSON.parse(String(data))
    waiting.get(message.id)?.(message)
    waiting.delete(message.id)
  })
  return {
    send: (method, params) =>
      new Promise((resolve, reject) => {
        const id = ++last
        waiting.set(id, (message) => {
          if (message['type'] === 'success') resolve(message['result'] as Result)
          else reject(new Error(`${method}: ${message['message']}`))
        })
        socket.send(JSON.stringify({ id, method, params }))
      }),
    close: () => socket.close(),
  }
}

async function openTab(send: Send): Promise<Tab> {
  const { context } = await send('browsingContext.create', { type: 'window' })
  return {
    async evaluate(run: (argument: never) => unknown, argument?: unknown) {
      const answer = await send('script.callFunction', {
        functionDeclaration: `async (text) => JSON.stringify((await (${run})(JSON.parse(text))) ?? null)`,
        arguments: [{ type: 'string', value: JSON.stringify(argument ?? null) }],
        target: { context },
        awaitPromise: true,
      })
      const { result, exceptionDetails } = answer as {
        result?: { value: string }
        exceptionDetails?: { text: string }
      }
      if (!result) throw new Error(exceptionDetails?.text)
      return JSON.parse(result.value)
    },
    navigate: async (url) =>
      void (await send('browsingContext.navigate', { context, url, wait: 'complete' })),
    back: async () => void (await send('browsingContext.traverseHistory', { context, delta: -1 })),
    close: async () => void (await send('browsingContext.close', { context })),
  }
}

export const FIREFOX: Engine = {
  name: 'Firefox',
  programs: [PROGRAM],
  packages: 'firefox-esr',
  takesSecureCookies: true,
  async launch(settings = {}) {
    const program = startProgram(PROGRAM ?? '', [
      '--headless',
      '--no-remote',
      '--profile',
      'FOLDER',
      '--remote-debugging-port',
      '0',
    ])
    const lines = Object.entries({ ...PREFERENCES, ...settings }).map(
      ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
    )
    writeFileSync(join(program.folder, 'user.js'), lines.join('\n'))
    const [, url] = await program.printed(/WebDriver BiDi listening on (ws:\/\/\S+)/)
    const { send, close } = await connect(`${url}/session`)
    await send('session.new', { capabilities: { alwaysMatch: { acceptInsecureCerts: true } } })
    return {
      open: () => openTab(send),
      async close() {
        close()
        await program.stop()
      },
    }
  },
}
