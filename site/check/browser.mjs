/**
 * The site in Chromium: every page is opened, in light on a desk and in dark on a telephone.
 * `playwright-core` and `axe-core` are those of the repository's own tests.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'
import { tooHeavy, WATCH_SHIFTS } from './weight.mjs'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)

/** For the server: Chromium keeps the code of a script that it loads from there. */
export const AXE = { '/axe.min.js': createRequire(import.meta.url).resolve('axe-core/axe.min.js') }

/** The pages are opened side by side: they wait for Chromium more than they work. */
const WORKERS = 3

/** How a page is looked at. */
const DESK = { theme: 'light', size: { width: 1280, height: 900 } }
const TELEPHONE = { theme: 'dark', size: { width: 375, height: 800 } }

/** Starts Chromium. */
export async function launch(more = []) {
  if (!CHROMIUM) throw new Error('expected Chromium on this machine, found none')
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', ...more] })
}

/** Opens a page that collects what goes wrong in it, as lines. */
export async function openTab(browser, origin) {
  const context = await browser.newContext({ viewport: DESK.size, colorScheme: DESK.theme })
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
    await tab.page.addInitScript(WATCH_SHIFTS)
    // What surrounds the text is the same on every page, so one worker looks at it, once.
    let scope = worker === 0 ? 'body' : '.VPContent'
    // A page opens as the one before was looked at last: changing that costs as much as a look.
    let views = [DESK, TELEPHONE]
    for (let address = left.shift(); address !== undefined; address = left.shift()) {
      await open(tab.page, origin + address)
      for (const one of await tooHeavy(tab.page)) tab.note(one)
      await tab.page.addScriptTag({ url: '/axe.min.js' })
      await look(tab, scope, views[0])
      await change(tab.page, views[1])
      await look(tab, scope, views[1])
      views = views.toReversed()
      scope = '.VPContent'
    }
    await tab.close()
    return tab.problems
  }
  return (await Promise.all(Array.from({ length: WORKERS }, (_, worker) => visit(worker)))).flat()
}

/** Opens a page, and waits until it is alive. */
export async function open(page, url) {
  await page.goto(url)
  await page.waitForFunction('document.querySelector("#app").__vue_app__ !== undefined')
}

async function change(page, { theme, size }) {
  await page.emulateMedia({ colorScheme: theme })
  await page.setViewportSize(size)
  await page.waitForFunction(`document.documentElement.classList.contains("dark") === ${theme === 'dark'}`)
}

/** Code is left out: `codeContrast` checks each of its colors once, not each of its words. */
async function look({ page, note }, scope, { theme, size }) {
  // All but the colors is the same in both.
  const runOnly = theme === 'dark' && ['color-contrast', 'link-in-text-block']
  const objections = await page.evaluate(
    ([where, options]) =>
      window.axe
        .run(where, options)
        .then(({ violations }) =>
          violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`)),
        ),
    // What axe would load before, again for each run, is for rules that are off.
    [
      { include: [scope], exclude: ['pre code'] },
      { resultTypes: ['violations'], preload: false, ...(runOnly && { runOnly }) },
    ],
  )
  for (const one of objections) note(`axe, ${theme}: ${one}`)
  const width = await page.evaluate('document.documentElement.scrollWidth')
  if (width > size.width) note(`is ${width} pixels wide on a screen of ${size.width}`)
}
