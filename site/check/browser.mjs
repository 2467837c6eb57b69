/**
 * The site in Chromium: every page is opened, in light on a desk and in dark on a telephone.
 * `playwright-core` and `axe-core` are those of the repository's own tests.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** The pages are opened side by side: they wait for Chromium more than they work. */
const WORKERS = 2

/** Starts Chromium. */
export async function launch(more = []) {
  if (!CHROMIUM) throw new Error('expected Chromium on this machine, found none')
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', ...more] })
}

/** Opens a page that collects what goes wrong in it, as lines. */
export async function openTab(browser, origin) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  const problems = []
  const note = (text) => problems.push(`${new URL(page.url()).pathname}: ${text}`)
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) note(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => note(`throws ${error.message}`))
  page.on('requestfailed', (request) => note(`cannot load ${request.url()}`))
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== origin)
      note(`asks another host: ${request.url()}`)
  })
  return { page, problems, note, close: () => context.close() }
}

/** Opens every page; returns what is wrong with any. */
export async function visitAll(browser, origin, addresses) {
  const left = [...addresses]
  const visit = async (worker) => {
    const tab = await openTab(browser, origin)
    // What surrounds the text is the same on every page, so one worker looks at it, once.
    let scope = worker === 0 ? 'body' : '.VPContent'
    for (let address = left.shift(); address !== undefined; address = left.shift()) {
      await open(tab.page, origin + address)
      await tab.page.evaluate(AXE)
      await look(tab, scope)
      scope = '.VPContent'
    }
    await tab.close()
    return tab.problems
  }
  return (await Promise.all(Array.from({ length: WORKERS }, (_, worker) => visit(worker)))).flat()
}

/** Opens a page, and waits until it is alive. */
export async function open(page, url) {
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 1280, height: 900 })
  await page.goto(url)
  await page.waitForFunction('document.querySelector("#app").__vue_app__ !== undefined')
}

/** Code is left out: `codeContrast` checks each of its colors once, not each of its words. */
async function look({ page, note }, scope) {
  const objections = async (options) =>
    page.evaluate(`axe.run(${JSON.stringify({ include: [scope], exclude: ['pre code'] })}, ${JSON.stringify(options)}).then(({ violations }) =>
      violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ': ' + target.join(' '))))`)
  for (const one of await objections({ resultTypes: ['violations'] })) note(`axe, light: ${one}`)
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.setViewportSize({ width: 375, height: 800 })
  await page.waitForFunction('document.documentElement.classList.contains("dark")')
  // All but the colors is as before.
  const colors = { runOnly: ['color-contrast', 'link-in-text-block'], resultTypes: ['violations'] }
  for (const one of await objections(colors)) note(`axe, dark: ${one}`)
  const width = await page.evaluate('document.documentElement.scrollWidth')
  if (width > 375) note(`is ${width} pixels wide on a telephone`)
}
