/*
 * Shows the last answer in plain words: what the server said, what it means, and a button for the
 * way out where there is one. The box is a live region, so a screen reader hears each answer once.
 */

import { adviseOn, type Offer } from './advice.ts'
import type { Answer } from './api.ts'
import type { Wish } from './conversation.ts'
import { element, find, replace } from './element.ts'
import type { Session } from './session.ts'

type Follow = (offer: Offer, wish: Wish, refused: Answer) => void

const LABELS: Readonly<Record<Offer, (wish: Wish) => string>> = {
  refresh: (wish) => (wish.path === '/auth/refresh' ? 'Refresh' : 'Refresh and repeat'),
  'step-up': () => 'Confirm password',
  'sign-in': () => 'Sign in',
  retry: () => 'Try again',
}

/**
 * Wires #answer; `follow` is called when the user takes an offer. A sign-in starts with an empty
 * box.
 */
export function createAnswerBox(
  session: Session,
  follow: Follow,
): (wish: Wish, answer: Answer, note?: string) => void {
  const root = find('answer', HTMLElement)
  root.tabIndex = -1
  session.watch(() => {
    if (session.previous || (!session.tokens && root.hasChildNodes())) return
    delete root.dataset['tone']
    replace(root, element('p', { class: 'empty' }, 'The answer will be shown here.'))
  })

  return (wish, answer, note) => {
    const held = root.contains(document.activeElement)
    const advice = answer.ok ? { text: wish.success ?? '', offer: undefined } : adviseOn(answer)
    root.dataset['tone'] = toneOf(answer.status)
    replace(
      root,
      element(
        'p',
        { class: 'answer-line' },
        createStatus(answer.status),
        element('strong', {}, answer.ok && answer.status === 204 ? 'Done' : answer.message),
      ),
      element(
        'p',
        { class: 'answer-about' },
        element('code', {}, `${wish.method} ${wish.path}`),
        answer.code && element('code', { class: 'error-code' }, answer.code),
        note && element('span', { class: 'note' }, note),
      ),
      advice.text !== '' && element('p', { class: 'answer-advice' }, advice.text),
      advice.offer &&
        createOffer(advice.offer, wish, () => advice.offer && follow(advice.offer, wish, answer)),
    )
    if (held) root.focus({ preventScroll: true })
    root.scrollIntoView({ block: 'nearest' })
  }
}

/** A status as a small badge; `no answer` for 0. */
export function createStatus(status: number): HTMLElement {
  return element(
    'span',
    { class: 'status', 'data-tone': toneOf(status) },
    status === 0 ? 'no answer' : String(status),
  )
}

/** The color family of a status: never the only sign, the number stands beside it. */
export function toneOf(status: number): 'good' | 'warn' | 'bad' {
  if (status >= 200 && status < 300) return 'good'
  return status === 401 || status === 429 ? 'warn' : 'bad'
}

function createOffer(offer: Offer, wish: Wish, take: () => void): HTMLElement {
  const button = element('button', { type: 'button', class: 'button small' }, LABELS[offer](wish))
  button.addEventListener('click', take)
  return element('p', { class: 'answer-offer' }, button)
}
