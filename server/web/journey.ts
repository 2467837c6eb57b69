/*
 * The five steps of the journey, with a hint for the next one. The visitor can take the steps in
 * any order. Each step is one row, which says which exchange completes it.
 */

import type { Exchange } from './actions.ts'
import { element, find, replace, write } from './element.ts'
import type { Session } from './session.ts'

interface Step {
  readonly name: string
  readonly summary: string
  /** What the visitor can do to complete the step. */
  readonly hint: string
  readonly reached: (exchange: Exchange) => boolean
}

const AUTH = '/auth/'
const succeeds = (path: string) => (exchange: Exchange) => exchange.result.ok && exchange.call.path === path

const STEPS: readonly Step[] = [
  {
    name: 'Sign in',
    summary: 'a fresh token',
    hint: 'Sign in with your password. You get a fresh access token and a refresh token.',
    reached: succeeds('/auth/login'),
  },
  {
    name: 'Use it',
    summary: 'any valid token',
    hint: 'Call GET /protected. It accepts any valid access token.',
    reached: ({ call, result }) => result.ok && !call.path.startsWith(AUTH) && call.token !== undefined,
  },
  {
    name: 'Refresh',
    summary: 'no longer fresh',
    hint: 'Press Refresh. The new token is valid, but not fresh, because no password was checked.',
    reached: succeeds('/auth/refresh'),
  },
  {
    name: 'Refused',
    summary: 'a fresh token is needed',
    hint: 'Call GET /sensitive_operation. It refuses a token that is not fresh.',
    reached: ({ result }) => result.code === 'fresh_token_required',
  },
  {
    name: 'Step up',
    summary: 'fresh again',
    hint: 'Confirm your password in the dialog. The page then repeats the call for you.',
    reached: succeeds('/auth/verify-password'),
  },
]
const FINISHED = 'You have seen the whole journey. Wait until the token expires, or log out to start again.'

/** Connects #journey. Returns the function that receives each exchange. */
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
    write(hint, next?.hint ?? FINISHED)
  }
  session.watch(() => {
    if (!session.tokens) done.clear()
    draw()
  })
  return (exchange) => {
    for (const step of STEPS) if (step.reached(exchange)) done.add(step)
    if (!session.tokens && !exchange.result.ok) done.clear()
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
    element('span', { class: 'step-summary' }, step.summary),
  )
}
