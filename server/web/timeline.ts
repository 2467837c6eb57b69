/*
 * A diagram of one session over time, for a visitor without a token: the session, its access
 * tokens, and when each of them is fresh. The columns are events. A screen reader gets three
 * sentences instead.
 */

import { element } from './element.ts'

const MOMENTS = [
  { event: 'Sign in', access: 'token 1', fresh: true, says: 'Signing in gives you a fresh access token.' },
  {
    event: 'Refresh',
    access: 'token 2',
    fresh: false,
    says: 'A refresh gives you one that is valid, but not fresh.',
  },
  {
    event: 'Step up',
    access: 'token 3',
    fresh: true,
    says: 'A step-up gives you a fresh one in the same session.',
  },
] as const

/** Draws the diagram with its explanation. */
export function createTimeline(): HTMLElement {
  return element(
    'section',
    { class: 'timeline' },
    element('h3', {}, 'Valid is not the same as fresh'),
    element(
      'p',
      { class: 'lead' },
      'A token is fresh only for a short time after you entered your password. Sensitive actions need ' +
        'a fresh token: for example changing the password, paying, or deleting an account.',
    ),
    element(
      'div',
      { class: 'timeline-rows', 'aria-hidden': true },
      element('span', {}),
      ...MOMENTS.map((moment) => element('span', { class: 'timeline-event' }, moment.event)),
      label('Session'),
      bar('session', 'refresh token'),
      label('Valid'),
      ...MOMENTS.map((moment) => bar('access', moment.access)),
      label('Fresh'),
      ...MOMENTS.map((moment) => bar(moment.fresh ? 'fresh' : 'stale', moment.fresh ? 'fresh' : 'not fresh')),
    ),
    element('ul', { class: 'unseen' }, ...MOMENTS.map((moment) => element('li', {}, moment.says))),
  )
}

function label(text: string): HTMLElement {
  return element('span', { class: 'timeline-label' }, text)
}

function bar(kind: 'session' | 'access' | 'fresh' | 'stale', text: string): HTMLElement {
  return element('span', { class: 'timeline-bar', 'data-kind': kind }, text)
}
