/*
 * The five steps of the journey, with a hint for the next one. The visitor can take the steps in
 * any order. Each step is one row, which says which exchange completes it.
 */

import type { Exchange } from './actions.ts'
import { find, findIn, write } from './element.ts'
import { ACCOUNT_PATH, CHALLENGE_PATH, STEP_UP_PATH, TOKEN_PATH } from './recorder.ts'
import type { Session } from './session.ts'

interface Step {
  /** What the visitor can do to complete the step. */
  readonly hint: string
  readonly reached: (exchange: Exchange) => boolean
}

const AUTH = '/auth/'
/** What the page asks for by itself. */
const UNASKED: readonly string[] = [TOKEN_PATH, ACCOUNT_PATH, CHALLENGE_PATH]
const succeeds = (path: string) => (exchange: Exchange) => exchange.result.ok && exchange.call.path === path

/** In the order of page.html. */
const STEPS: readonly Step[] = [
  {
    hint: 'Sign in at the top. The password is already there.',
    reached: succeeds('/auth/login'),
  },
  {
    hint: 'Press “Read something private”. Any valid token will do.',
    reached: ({ call, result }) => result.ok && !call.path.startsWith(AUTH) && !UNASKED.includes(call.path),
  },
  {
    hint: 'Press “Refresh now”, or wait: the client does it by itself. The new token is not fresh.',
    reached: succeeds('/auth/refresh'),
  },
  {
    hint: 'Press “Do something sensitive”. It refuses a token that is not fresh.',
    reached: ({ result }) => result.code === 'fresh_token_required',
  },
  {
    hint: 'Confirm that it is you in the dialog. The client then repeats the request.',
    reached: succeeds(STEP_UP_PATH),
  },
]
const FINISHED = 'That was the whole life of a token. Now open two tabs, or steal one.'

/** Connects #journey. Returns the function that receives each exchange of this page's client. */
export function createJourney(session: Session): (exchange: Exchange) => void {
  const rows = [...find('journey', HTMLElement).children]
  const label = find('journey-label', HTMLElement)
  const hint = find('journey-hint', HTMLElement)
  const done = new Set<Step>()

  const draw = () => {
    const next = STEPS.find((step) => !done.has(step))
    for (const [index, step] of STEPS.entries()) {
      const row = rows[index]
      if (row) showState(row, index, done.has(step) ? 'done' : step === next ? 'next' : 'ahead')
    }
    write(label, next ? 'Next' : 'Done')
    write(hint, next?.hint ?? FINISHED)
  }
  session.watch(() => {
    if (!session.isSignedIn) done.clear()
    draw()
  })
  return (exchange) => {
    for (const step of STEPS) if (step.reached(exchange)) done.add(step)
    draw()
  }
}

function showState(row: Element, index: number, state: 'done' | 'next' | 'ahead'): void {
  row.setAttribute('data-state', state)
  if (state === 'next') row.setAttribute('aria-current', 'step')
  else row.removeAttribute('aria-current')
  write(findIn(row, '.step-stamp'), state === 'done' ? '✓' : String(index + 1))
  write(findIn(row, '.unseen'), state === 'done' ? ' (done)' : '')
}
