/*
 * The calls that a visitor can try, one row each: what it asks of a token, what its success means,
 * and the status of the last try. Changing the password is the same thing with a form. A new route
 * on the page is a new row.
 */

import { createStatus } from './answer.ts'
import type { Conversation, Wish } from './conversation.ts'
import { element, find, replace } from './element.ts'
import { hasSession, type Session } from './session.ts'

interface Row extends Wish {
  readonly asks: string
  readonly kind: 'valid' | 'fresh' | 'scope'
}

const ROWS: readonly Row[] = [
  {
    method: 'GET',
    path: '/protected',
    asks: 'valid token',
    kind: 'valid',
    success: 'Any valid access token opens this route, fresh or not.',
  },
  {
    method: 'GET',
    path: '/sensitive_operation',
    asks: 'fresh token',
    kind: 'fresh',
    success: 'The token was fresh: a password was checked just now.',
  },
  {
    method: 'GET',
    path: '/admin',
    asks: 'scope admin:*',
    kind: 'scope',
    success: 'The token carries the scope. Freshness does not matter here.',
  },
]

/** Wires #routes and the change-password form. */
export function createRoutes(session: Session, conversation: Conversation): void {
  const list = find('routes', HTMLElement)
  const last = new Map<string, HTMLElement>()
  for (const row of ROWS) {
    const status = element('span', { class: 'last' })
    last.set(row.path, status)
    list.append(createRow(row, status, () => void conversation.perform(row)))
  }
  conversation.listen(({ call, answer }) => {
    const status = last.get(call.path)
    if (status) replace(status, createStatus(answer.status))
  })
  session.watch(() => {
    if (!session.tokens) for (const status of last.values()) replace(status)
  })
  wireChangePassword(session, conversation)
}

function createRow(row: Row, status: HTMLElement, press: () => void): HTMLElement {
  const button = element(
    'button',
    { type: 'button', class: 'call', 'data-route': row.path },
    element('code', { class: 'route' }, element('span', { class: 'method' }, row.method), ` ${row.path}`),
    element('span', { class: `asks asks-${row.kind}` }, row.asks),
    status,
  )
  button.addEventListener('click', press)
  return element('li', {}, button)
}

function wireChangePassword(session: Session, conversation: Conversation): void {
  const form = find('change-password', HTMLFormElement)
  const input = find('new-password', HTMLInputElement)
  const user = form.elements.namedItem('username')
  session.watch(() => {
    if (user instanceof HTMLInputElement)
      user.value = String(session.tokens?.accessToken?.claims['sub'] ?? '')
    if (!session.tokens) form.reset()
  })
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void changePassword(input.value)
  })
  const changePassword = async (password: string) => {
    const answer = await conversation.perform({
      method: 'POST',
      path: '/change-password',
      body: { new_password: password },
      success: `Use the new password from now on.${hasSession(session) ? ' Your other sessions have ended.' : ''}`,
    })
    if (answer?.ok) form.reset()
  }
}
