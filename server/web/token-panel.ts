/*
 * What the access token says: the rows of page.html, one for each header field and claim. After a
 * refresh or a step-up, the values that have changed are marked.
 */

import { readClock } from './countdown.ts'
import { find, findIn, write } from './element.ts'
import type { Session } from './session.ts'
import { describe, shorten } from './token.ts'

const STATES = { fresh: 'Fresh', stale: 'Not fresh', expired: 'Expired' } as const
const TONES = { fresh: 'good', stale: 'warn', expired: 'bad' } as const

/** Connects #claims and the badge above it. */
export function createTokenPanel(session: Session): void {
  const rows = [...find('claims', HTMLElement).querySelectorAll<HTMLElement>('.claim')]
  const badge = find('token-state', HTMLElement)
  const tick = (): void => {
    const { token } = session
    const state = token && readClock(token.claims, token.freshness, session.now()).state
    write(badge, state ? STATES[state] : 'No token yet')
    if (state) badge.dataset['tone'] = TONES[state]
    else delete badge.dataset['tone']
  }
  session.watch(() => {
    for (const row of rows) showClaim(row, session)
    tick()
  })
  setInterval(tick, 500)
}

function showClaim(row: HTMLElement, { token, previous }: Session): void {
  const { name = '' } = row.dataset
  const value = token?.claims[name] ?? token?.header[name]
  const before = previous?.claims[name]
  const said = value === undefined ? '' : describe(name, value)
  const text = name === 'csrf' && said ? shorten(said) : said
  row.dataset['value'] = text
  write(findIn(row, '.value'), text || (token ? 'none' : 'not yet'))
  const isChanged = before !== undefined && JSON.stringify(before) !== JSON.stringify(value)
  findIn(row, '.changed').hidden = !isChanged
}
