/*
 * The five steps of the journey and a hint at the next one. Steps are ticked off by what the server
 * answered, in whatever order a visitor takes them: one row per step says which answer counts.
 */

import type { Exchange } from './conversation.ts'
import { element, find, replace, write } from './element.ts'
import type { Session } from './session.ts'

interface Step {
  readonly name: string
  readonly gist: string
  /** What to do to get there. */
  readonly hint: string
  readonly reached: (exchange: Exchange) => boolean
}

const AUTH = '/auth/'
const at = (path: string) => (exchange: Exchange) => exchange.answer.ok && exchange.call.path === path

const STEPS: readonly Step[] = [
  {
    name: 'Sign in',
    gist: 'a fresh token',
    hint: 'Sign in: the password gets you a fresh access token and a refresh token.',
    reached: at('/auth/login'),
  },
  {
    name: 'Use it',
    gist: 'any valid token',
    hint: 'Call GET /protected: any valid access token opens it.',
    reached: ({ call, answer }) => answer.ok && !call.path.startsWith(AUTH) && call.token !== undefined,
  },
  {
    name: 'Refresh',
    gist: 'no longer fresh',
    hint: 'Press Refresh: the new token is valid but not fresh, for no password was checked.',
    reached: at('/auth/refresh'),
  },
  {
    name: 'Refused',
    gist: '401, fresh required',
    hint: 'Call GET /sensitive_operation: a refreshed token is not enough for it.',
    reached: ({ answer }) => answer.code === 'fresh_token_required',
  },
  {
    name: 'Step up',
    gist: 'fresh again, in place',
    hint: 'Confirm your password in the dialog: the call is then repeated for you.',
    reached: at('/auth/verify-password'),
  },
]
const ARRIVED = 'That was the whole journey. Let the clocks run out, or log out to begin again.'

/** Wires #journey and gives the function that looks at each exchange. */
export function createJourney(session: Session): (exchange: Exchange) => void {
  const list = find('journey', HTMLElement)
  const label = find('journey-label', HTMLElement)
  const hint = find('journey-hint', HTMLElement)
  const done = new Set<Step>()

  const draw = () => {
    const next = STEPS.find((step) => !done.has(step))
    replace(
      list,
      ...STEPS.map((step, index) =>
        createStep(step, index, done.has(step) ? 'done' : step === next ? 'next' : 'ahead'),
      ),
    )
    write(label, next ? 'Next' : 'Done')
    write(hint, next?.hint ?? ARRIVED)
  }
  session.watch(() => {
    if (!session.tokens) done.clear()
    draw()
  })
  return (exchange) => {
    for (const step of STEPS) if (step.reached(exchange)) done.add(step)
    if (!session.tokens && !exchange.answer.ok) done.clear()
    draw()
  }
}

function createStep(step: Step, index: number, state: 'done' | 'next' | 'ahead'): HTMLElement {
  return element(
    'li',
    { class: 'step', 'data-state': state, 'aria-current': state === 'next' ? 'step' : undefined },
    element('span', { class: 'step-stamp', 'aria-hidden': true }, state === 'done' ? '✓' : String(index + 1)),
    element(
      'span',
      { class: 'step-name' },
      step.name,
      state === 'done' && element('span', { class: 'unseen' }, ' (done)'),
    ),
    element('span', { class: 'step-gist' }, step.gist),
  )
}
