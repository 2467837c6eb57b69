/*
 * The user's sessions: lists them, and ends one or all others, which needs a fresh token and so the
 * password.
 */

import type { Actions, Exchange } from './actions.ts'
import type { Json } from './api.ts'
import { nameDevice } from './device.ts'
import { element, find, replace } from './element.ts'
import type { Session } from './session.ts'

const PATH = '/auth/sessions'

/** Connects #sessions. */
export function createSessions(session: Session, actions: Actions): void {
  const list = find('sessions-list', HTMLElement)
  const others = find('sessions-others', HTMLButtonElement)

  const show = (rows: readonly Json[]): void => {
    const empty = element('li', { class: 'hint' }, 'Sign in to see your devices.')
    replace(
      list,
      ...(rows.length > 0 ? rows.map((row) => createRow(row, session, () => void end(row))) : [empty]),
    )
    others.hidden = rows.length < 2
  }
  const load = async (): Promise<void> => {
    const result = await actions.fetch({ method: 'GET', path: PATH })
    const rows = result.body['sessions']
    if (result.ok && Array.isArray(rows)) show(rows as readonly Json[])
  }
  const end = async (row: Json): Promise<void> => {
    const own = row['current'] === true
    const success = own ? 'This session has ended.' : 'That device is signed out. Its tokens no longer work.'
    await actions.perform({ method: 'DELETE', path: `${PATH}/${String(row['id'])}`, success })
    // The client does not know yet: a request of its own tells it.
    if (own) await load()
  }
  others.addEventListener('click', () => {
    const success = 'All other devices are signed out. Their tokens no longer work.'
    void actions.perform({ method: 'DELETE', path: PATH, success })
  })
  find('sessions-reload', HTMLButtonElement).addEventListener('click', () => void load())

  let user = ''
  session.watch(() => {
    if (!session.isSignedIn) show([])
    if (session.user !== user && session.user !== '') void load()
    user = session.user
  })
  actions.listen(({ call, result }: Exchange) => {
    const changes = call.method !== 'GET' && (call.path.startsWith(PATH) || call.path === '/change-password')
    if (result.ok && session.isSignedIn && changes) void load()
  })
}

/** One session, with the button that ends it. */
function createRow(row: Json, session: Session, end: () => void): HTMLElement {
  const current = row['current'] === true
  const device = nameDevice(row['last_user_agent'] ?? row['user_agent'])
  const name = typeof row['label'] === 'string' ? row['label'] : device
  const button = element(
    'button',
    { type: 'button', class: 'button small', 'aria-label': `Sign out ${name}` },
    'Sign out',
  )
  button.addEventListener('click', end)
  const place = typeof row['last_ip'] === 'string' ? ` from ${row['last_ip']}` : ''
  const seen = `Last seen ${ago(row['last_used_at'], session)}${place}, signed in ${ago(row['created_at'], session)}`
  return element(
    'li',
    { class: 'device', 'data-current': current },
    element(
      'div',
      { class: 'device-text' },
      element('strong', {}, name),
      current && element('span', { class: 'badge', 'data-tone': 'good' }, 'this device'),
      element('span', { class: 'device-seen' }, name === device ? seen : `${device}. ${seen}`),
    ),
    button,
  )
}

/** How long ago something was, in the largest unit that fits. */
function ago(at: unknown, session: Session): string {
  const seconds = typeof at === 'number' ? Math.max(0, session.now() - at) : 0
  if (seconds < 60) return 'just now'
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`
}
