/*
 * The calls that a visitor can try, one row each: what the route requires of a token, what success
 * means, and how the last call went. Changing the password is such a call with a form. To add a
 * route to the page, add a row.
 */

import type { Actions, PanelCall } from './actions.ts'
import { element, find, replace } from './element.ts'
import { createStatus } from './result-box.ts'
import { hasSession, type Session } from './session.ts'

interface Row extends PanelCall {
  readonly asks: string
  readonly kind: 'valid' | 'fresh' | 'scope'
}

const ROWS: readonly Row[] = [
  {
    method: 'GET',
    path: '/protected',
    asks: 'valid token',
    kind: 'valid',
    success: 'This route accepts any valid access token, fresh or not.',
  },
  {
    method: 'GET',
    path: '/sensitive_operation',
    asks: 'fresh token',
    kind: 'fresh',
    success: 'Your token is fresh, because you entered your password a short time ago.',
  },
  {
    method: 'GET',
    path: '/admin',
    asks: 'scope admin:*',
    kind: 'scope',
    success: 'Your token has the scope admin:*. It does not have to be fresh here.',
  },
]

/** Connects #routes and the form that changes the password. */
export function createRoutes(session: Session, actions: Actions): void {
  const list = find('routes', HTMLElement)
  const last = new Map<string, HTMLElement>()
  for (const row of ROWS) {
    const status = element('span', { class: 'last' })
    last.set(row.path, status)
    list.append(createRow(row, status, () => void actions.perform(row)))
  }
  actions.listen(({ call, result }) => {
    const status = last.get(call.path)
    if (status) replace(status, createStatus(result.status))
  })
  session.watch(() => {
    if (!session.tokens) for (const status of last.values()) replace(status)
  })
  connectChangePassword(session, actions)
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

function connectChangePassword(session: Session, actions: Actions): void {
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
    const result = await actions.perform({
      method: 'POST',
      path: '/change-password',
      body: { new_password: password },
      success: `Use your new password from now on.${hasSession(session) ? ' Your other sessions have ended.' : ''}`,
    })
    if (result?.ok) form.reset()
  }
}
