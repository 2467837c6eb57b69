/*
 * The user's devices, which are sessions: lists them, names them, and ends one or all others, which
 * needs a fresh token. "Not me" ends the device of someone else, and asks for a new password.
 */

import type { Actions, Exchange } from './actions.ts'
import { ago } from './ago.ts'
import type { Json } from './api.ts'
import { nameDevice } from './device.ts'
import { element, find, replace } from './element.ts'
import { signOutOthers } from './new-password.ts'
import type { Session } from './session.ts'

const PATH = '/auth/sessions'
const NAMES_PATH = '/account/devices'

/** What can be done about a device. */
interface DeviceActions {
  end(row: Json): void
  rename(row: Json, label: string): Promise<void>
  disown(name: string): void
}

/** Connects #sessions. @param disown is called with a device that is not the user's */
export function createSessions(session: Session, actions: Actions, disown: (device: string) => void): void {
  const list = find('sessions-list', HTMLElement)
  const others = find('sessions-others', HTMLButtonElement)

  const show = (rows: readonly Json[]): void => {
    const empty = element('li', { class: 'hint' }, 'Sign in to see your devices.')
    replace(
      list,
      ...(rows.length > 0 ? rows.map((row) => createRow(row, session, { end, rename, disown })) : [empty]),
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
  const rename = async (row: Json, label: string): Promise<void> => {
    await actions.perform({
      method: 'PATCH',
      path: `${NAMES_PATH}/${String(row['id'])}`,
      body: { label: label.trim() || null },
      success: 'The device has the name on all your devices.',
    })
  }
  others.addEventListener('click', () => void signOutOthers(actions))
  find('sessions-reload', HTMLButtonElement).addEventListener('click', () => void load())

  let user = ''
  session.watch(() => {
    if (!session.isSignedIn) show([])
    if (session.user !== user && session.user !== '') void load()
    user = session.user
  })
  actions.listen(({ call, result }: Exchange) => {
    const changes = [PATH, NAMES_PATH, '/change-password'].some((path) => call.path.startsWith(path))
    if (result.ok && session.isSignedIn && call.method !== 'GET' && changes) void load()
  })
}

/** One session, with the buttons for what can be done about it. */
function createRow(row: Json, session: Session, { end, rename, disown }: DeviceActions): HTMLElement {
  const current = row['current'] === true
  const device = nameDevice(row['last_user_agent'] ?? row['user_agent'])
  const name = typeof row['label'] === 'string' ? row['label'] : device
  const place = typeof row['last_ip'] === 'string' ? ` from ${row['last_ip']}` : ''
  const seen = `Last seen ${ago(row['last_used_at'], session)}${place}, signed in ${ago(row['created_at'], session)}`
  const text = element(
    'div',
    { class: 'device-text' },
    element('strong', {}, name),
    current && element('span', { class: 'badge', 'data-tone': 'good' }, 'this device'),
    element('span', { class: 'device-seen' }, name === device ? seen : `${device}. ${seen}`),
  )
  const buttons = element(
    'div',
    { class: 'device-buttons' },
    createButton('Rename', name, () =>
      openName(text, name === device ? '' : name, (label) => rename(row, label)),
    ),
    !current && createButton('Not me', name, () => disown(name)),
    createButton('Sign out', name, () => end(row)),
  )
  return element('li', { class: 'device', 'data-current': current }, text, buttons)
}

function createButton(label: string, name: string, act: () => void): HTMLElement {
  const button = element(
    'button',
    { type: 'button', class: 'button small', 'aria-label': `${label}: ${name}` },
    label,
  )
  button.addEventListener('click', act)
  return button
}

/** Puts a form in the place of the text. The list is drawn anew once the name is saved. */
function openName(text: HTMLElement, name: string, save: (label: string) => Promise<void>): void {
  const input = element('input', {
    value: name,
    maxlength: 60,
    placeholder: 'Kitchen tablet',
    'aria-label': 'Name of the device',
  })
  const form = element(
    'form',
    { class: 'device-name' },
    input,
    element('button', { class: 'button small' }, 'Save'),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void save(input.value)
  })
  form.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape') return
    const button = text.parentElement?.querySelector('button')
    form.replaceWith(text)
    button?.focus()
  })
  if (text.isConnected) text.replaceWith(form)
  input.focus()
}
