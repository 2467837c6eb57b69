/* How a call went, as a word in a badge. Color is never the only sign. */

import { element } from './element.ts'

/** The badge of a status. */
export function createStatus(status: number): HTMLElement {
  return element('span', { class: 'badge', 'data-tone': toneOf(status) }, wordOf(status))
}

/** The color of a status. */
export function toneOf(status: number): 'good' | 'warn' | 'bad' {
  if (status >= 200 && status < 300) return 'good'
  return status === 401 || status === 429 ? 'warn' : 'bad'
}

function wordOf(status: number): string {
  if (status === 0) return 'No response'
  if (status >= 200 && status < 300) return 'Success'
  return status >= 500 ? 'Failed' : 'Refused'
}
