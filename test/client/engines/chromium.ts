/** Chromium, driven over its own protocol by playwright-core. */
import { chromium } from 'playwright-core'
import { type Engine, findProgram } from './engine.ts'

const PROGRAM = findProgram('/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome')

export const CHROMIUM: Engine = {
  name: 'Chromium',
  programs: [PROGRAM],
  packages: 'chromium',
  takesSecureCookies: true,
  async launch() {
    const browser = await chromium.launch({
      executablePath: PROGRAM ?? '',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
      ],
    })
    const context = await browser.newContext()
    return {
      async open() {
        const page = await context.newPage()
        return {
          evaluate: (run: (argument: never) => unknown, argument?: unknown) =>
            page.evaluate(run as (argument: unknown) => unknown, argument) as never,
          navigate: async (url) => void (await page.goto(url)),
          back: async () => void (await page.goBack({ waitUntil: 'commit' })),
          close: () => page.close(),
        }
      },
      close: () => browser.close(),
    }
  },
}
