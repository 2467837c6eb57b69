/*
 * A picture of one sign-in over time, for a visitor who has no token yet: the session that goes on,
 * the access tokens that follow one another in it, and when the one in hand is fresh. Columns are
 * moments, rows are things; it is read out as a list of three sentences.
 */

import { element } from './element.ts'

const MOMENTS = [
  { event: 'Sign in', access: 'token 1', fresh: true, says: 'Signing in makes a fresh access token.' },
  {
    event: 'Refresh',
    access: 'token 2',
    fresh: false,
    says: 'A refresh makes one that is valid but not fresh.',
  },
  {
    event: 'Step up',
    access: 'token 3',
    fresh: true,
    says: 'A step-up makes a fresh one, in the same session.',
  },
] as const

/** Draws the picture with its two sentences. */
export function createLifeline(): HTMLElement {
  return element(
    'section',
    { class: 'lifeline' },
    element('h3', {}, 'Valid is not the same as fresh'),
    element(
      'p',
      { class: 'lead' },
      'A token is fresh only for a while after the password was checked. What would hurt most in the wrong hands, ' +
        'such as changing the password, paying or deleting an account, asks for a fresh one.',
    ),
    element(
      'div',
      { class: 'lifeline-rows', 'aria-hidden': true },
      element('span', {}),
      ...MOMENTS.map((moment) => element('span', { class: 'lifeline-event' }, moment.event)),
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
  return element('span', { class: 'lifeline-label' }, text)
}

function bar(kind: 'session' | 'access' | 'fresh' | 'stale', text: string): HTMLElement {
  return element('span', { class: 'lifeline-bar', 'data-kind': kind }, text)
}
