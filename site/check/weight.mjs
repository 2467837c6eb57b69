/**
 * What a page weighs, whatever the machine: the parts of Lighthouse's performance that no other
 * work on it can change. `npm run lighthouse` measures the rest.
 */

/**
 * More than any page needs. Bytes are those that are sent, packed, without images. On a busy
 * machine a long table comes in parts, and its columns move a little.
 */
const MOST = { requests: 12, bytes: 160_000, elements: 4_500, shift: 0.1 }

/** Runs before the page: its layout shifts are told only to those who wait for them. */
export const WATCH_SHIFTS = `
  window.shiftOfPage = 0
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shiftOfPage += entry.value
  }).observe({ type: 'layout-shift', buffered: true })
  // The check itself changes the size of the window, and the page may learn of it late.
  window.addEventListener('resize', () => { window.shiftOfPage = 0 })
`

/** What an open page has more of than it may, as lines. */
export async function tooHeavy(page) {
  const found = await page.evaluate(() => {
    const loads = [
      ...performance.getEntriesByType('navigation'),
      ...performance.getEntriesByType('resource').filter(({ name }) => !name.startsWith('data:')),
    ]
    return {
      requests: loads.length,
      bytes: loads
        .filter(({ initiatorType }) => initiatorType !== 'img')
        .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
      elements: document.querySelectorAll('*').length,
      shift: window.shiftOfPage,
      unsized: [...document.images]
        .filter((image) => !image.hasAttribute('width') || !image.hasAttribute('height'))
        .map(({ src }) => src),
    }
  })
  return [
    ...Object.entries(MOST)
      .filter(([name, most]) => found[name] > most)
      .map(([name, most]) => `${name}: ${found[name]}, more than ${most}`),
    ...found.unsized.map((src) => `an image has no size: ${src}`),
  ]
}
