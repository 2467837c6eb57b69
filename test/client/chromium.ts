/** Chromium under Playwright, for pages that test more than the client. Without it tests say so and skip. */
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

export const CHROMIUM: string | undefined = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find(existsSync)
if (CHROMIUM === undefined)
  console.error('\n!!! no Chromium on this machine: the client in a browser is SKIPPED\n')

/** Starts the browser. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM ?? '',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      // The page comes from no address at all, which counts as the public network, and may not go to this machine.
      '--disable-features=LocalNetworkAccessChecks',
    ],
  })
}
