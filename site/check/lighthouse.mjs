/** Lighthouse on pages of the served site, in Debian's Chromium. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import lighthouse from 'lighthouse'
import { launch } from './browser.mjs'

/** What does not depend on the speed of the machine. */
export const STEADY = ['accessibility', 'best-practices', 'seo']

/** The scores below 1 of each page, as lines. */
export async function measure(origin, addresses, categories) {
  const port = await freePort()
  const browser = await launch([`--remote-debugging-port=${port}`])
  const problems = []
  for (const address of addresses) {
    const result = await lighthouse(origin + address, {
      port,
      onlyCategories: categories,
      logLevel: 'silent',
      ...DESK,
    })
    for (const { id, score } of Object.values(result.lhr.categories))
      if (score !== 1) problems.push(`${address}: ${id} ${score}${failedOf(result.lhr, id)}`)
  }
  await browser.close()
  return problems
}

/** As Lighthouse's own preset for computers: their screen, and a line without a brake. */
const DESK = {
  formFactor: 'desktop',
  throttlingMethod: 'provided',
  screenEmulation: { mobile: false, width: 1350, height: 940, deviceScaleFactor: 1 },
}

function failedOf({ categories, audits }, id) {
  const failed = categories[id].auditRefs.filter((one) => one.weight > 0 && (audits[one.id].score ?? 1) < 1)
  return failed.map((one) => `, ${one.id} ${audits[one.id].score}`).join('')
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}
