/** Lighthouse on pages of the served site, in Debian's Chromium. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import lighthouse from 'lighthouse'
import DESK from 'lighthouse/core/config/desktop-config.js'
import { launch } from './browser.mjs'

/** What does not depend on the speed of the machine. */
export const STEADY = ['accessibility', 'best-practices', 'seo']

/** How often a page is measured whose performance is below 1: a busy machine makes it no faster. */
const TRIES = 3

/**
 * The scores below 1 of each page, as lines, with the audits that cost. The screen and the line are
 * those of Lighthouse's own preset for computers.
 */
export async function measure(origin, addresses, categories) {
  const port = await freePort()
  const browser = await launch([`--remote-debugging-port=${port}`])
  const problems = []
  for (const address of addresses) {
    let low = await lowScores(origin + address, port, categories)
    for (let tries = 1; tries < TRIES && low.some(({ id }) => id === 'performance'); tries++)
      low = fewer(low, await lowScores(origin + address, port, categories))
    for (const { text } of low) problems.push(`${address}: ${text}`)
  }
  await browser.close()
  return problems
}

async function lowScores(url, port, categories) {
  const { lhr } = await lighthouse(url, { port, onlyCategories: categories, logLevel: 'silent' }, DESK)
  return Object.values(lhr.categories)
    .filter(({ score }) => score !== 1)
    .map(({ id, score }) => ({ id, score, text: `${id} ${score}${failedOf(lhr, id)}` }))
}

/** Of two measurements the one whose performance is better. */
function fewer(one, other) {
  const performanceOf = (low) => low.find(({ id }) => id === 'performance')?.score ?? 1
  return performanceOf(other) > performanceOf(one) ? other : one
}

function failedOf({ categories, audits }, id) {
  const failed = categories[id].auditRefs.filter((one) => one.weight > 0 && (audits[one.id].score ?? 1) < 1)
  return failed
    .map(({ id }) => [id, audits[id].displayValue, audits[id].score].filter((part) => part !== undefined))
    .map((parts) => `, ${parts.join(' ')}`)
    .join('')
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}
