/*
 * Shows the last result in plain words: what the server said, what it means, and a button for what
 * the user can do about it. The box is a live region, so a screen reader reads each result once.
 */

import type { PanelCall } from './actions.ts'
import { adviseOn, type Offer } from './advice.ts'
import type { Result } from './api.ts'
import { element, find, replace } from './element.ts'
import type { Session } from './session.ts'

type TakeOffer = (offer: Offer, call: PanelCall) => void

const LABELS: Readonly<Record<Offer, (call: PanelCall) => string>> = {
  refresh: (call) => (call.path === '/auth/refresh' ? 'Refresh' : 'Refresh and repeat'),
  'step-up': () => 'Confirm password',
  'sign-in': () => 'Sign in',
  retry: () => 'Try again',
}

/** Connects #result. A new sign-in starts with an empty box. */
export function createResultBox(
  session: Session,
  takeOffer: TakeOffer,
): (call: PanelCall, result: Result, note?: string) => void {
  const root = find('result', HTMLElement)
  root.tabIndex = -1
  session.watch(() => {
    if (session.previous || (!session.tokens && root.hasChildNodes())) return
    delete root.dataset['tone']
    replace(root, element('p', { class: 'empty' }, 'The result will be shown here.'))
  })

  return (call, result, note) => {
    const hadFocus = root.contains(document.activeElement)
    const { text, offer } = result.ok ? { text: call.success ?? '', offer: undefined } : adviseOn(result)
    root.dataset['tone'] = toneOf(result.status)
    replace(
      root,
      element(
        'p',
        { class: 'result-line' },
        createStatus(result.status),
        element('strong', {}, result.ok && result.status === 204 ? 'Done' : result.message),
      ),
      element(
        'p',
        { class: 'result-about' },
        element('code', {}, `${call.method} ${call.path}`),
        note && element('span', { class: 'note' }, note),
      ),
      text !== '' && element('p', { class: 'result-advice' }, text),
      offer && createOffer(LABELS[offer](call), () => takeOffer(offer, call)),
    )
    if (hadFocus) root.focus({ preventScroll: true })
    root.scrollIntoView({ block: 'nearest' })
  }
}

/** How a call went, in a word, as a small badge. */
export function createStatus(status: number): HTMLElement {
  return createBadge(status, wordOf(status))
}

/** A small badge in the color of a status. */
export function createBadge(status: number, text: string): HTMLElement {
  return element('span', { class: 'status', 'data-tone': toneOf(status) }, text)
}

function wordOf(status: number): string {
  if (status === 0) return 'No response'
  if (status >= 200 && status < 300) return 'Success'
  return status >= 500 ? 'Failed' : 'Refused'
}

/** The color of a status. Color is never the only sign: the badge has a text too. */
function toneOf(status: number): 'good' | 'warn' | 'bad' {
  if (status >= 200 && status < 300) return 'good'
  return status === 401 || status === 429 ? 'warn' : 'bad'
}

function createOffer(label: string, take: () => void): HTMLElement {
  const button = element('button', { type: 'button', class: 'button small' }, label)
  button.addEventListener('click', take)
  return element('p', { class: 'result-offer' }, button)
}
