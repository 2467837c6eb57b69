/*
 * The user's sessions. Lists them, and ends one or all others, which needs a fresh token and so the
 * password. Also shows what happens to a refresh token that is used twice: it still works during
 * the overlap, and counts as stolen later.
 */

import type { Actions, Exchange } from './actions.ts'
import type { Json } from './api.ts'
import { nameDevice } from './device.ts'
import { element, find, replace, write } from './element.ts'
import { hasSession, type Session } from './session.ts'

const PATH = '/auth/sessions'

/** The previous refresh token, and when it was replaced. */
interface Replaced {
  readonly token: string
  readonly at: number
}

/** Connects #sessions, which is hidden if the server keeps no sessions. */
export function createSessions(session: Session, actions: Actions): void {
  const card = find('sessions', HTMLElement)
  const list = find('sessions-list', HTMLElement)
  const others = find('sessions-others', HTMLButtonElement)

  const show = (rows: readonly Json[]): void => {
    replace(list, ...rows.map((row) => createRow(row, session, () => void end(row))))
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
    const result = await actions.perform({
      method: 'DELETE',
      path: `${PATH}/${String(row['id'])}`,
      success,
    })
    if (result?.ok && own) session.clear()
  }
  others.addEventListener('click', () => {
    const success = 'All other devices are signed out. Their tokens no longer work.'
    void actions.perform({ method: 'DELETE', path: PATH, success })
  })
  find('sessions-reload', HTMLButtonElement).addEventListener('click', () => void load())

  session.watch(() => {
    card.hidden = !hasSession(session)
    if (!card.hidden && session.previous === undefined) void load()
  })
  actions.listen(({ call, result }: Exchange) => {
    const changes = call.method !== 'GET' && (call.path.startsWith(PATH) || call.path === '/change-password')
    if (result.ok && (changes || call.path === '/auth/refresh')) void load()
  })
  createReplay(session, actions)
}

/** One session, with the button that ends it. */
function createRow(row: Json, session: Session, end: () => void): HTMLElement {
  const current = row['current'] === true
  const device = nameDevice(row['user_agent'])
  const button = element(
    'button',
    { type: 'button', class: 'button small', 'aria-label': `End the session on ${device}` },
    'End',
  )
  button.addEventListener('click', end)
  const seen = `used ${ago(row['last_used_at'], session)}, signed in ${ago(row['created_at'], session)}`
  return element(
    'li',
    { class: 'device', 'data-current': current },
    element(
      'div',
      { class: 'device-text' },
      element('strong', {}, device),
      current && element('span', { class: 'asks asks-fresh' }, 'this one'),
      element('span', { class: 'device-seen' }, seen),
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

/** Connects the button that uses the previous refresh token, and says what would happen now. */
function createReplay(session: Session, actions: Actions): void {
  const button = find('replay', HTMLButtonElement)
  const forecast = find('replay-forecast', HTMLElement)
  let held = ''
  let replaced: Replaced | undefined

  const left = (): number =>
    replaced === undefined ? 0 : replaced.at + session.settings.overlap - session.now()
  const tell = (): void => {
    button.disabled = replaced === undefined
    const text =
      replaced === undefined
        ? 'Press Refresh first. Then there is a previous refresh token.'
        : left() > 0
          ? `It still works for ${Math.ceil(left())} s, for a second tab or a lost response.`
          : 'Its time is over. Using it now looks like theft, and ends the session.'
    write(forecast, text)
  }
  session.watch(() => {
    const next = session.tokens?.refresh ?? ''
    if (next === held) return
    // A step-up issues a token of the same generation, so the previous token stays the same.
    if (session.previous === undefined) replaced = undefined
    else if (isOlder(held, session)) replaced = { token: held, at: session.now() }
    held = next
    tell()
  })
  button.addEventListener('click', () => {
    if (replaced === undefined) return
    const success =
      'Replayed. You got the same new refresh token again, and a new access token. So two tabs that refresh at once stay signed in.'
    void actions.replay(replaced.token, success)
  })
  setInterval(tell, 500)
  tell()
}

/**
 * Whether a refresh token is of an earlier generation than the current one. After a step-up, both
 * are of the same generation.
 */
function isOlder(token: string, session: Session): boolean {
  const before =
    session.previous?.refresh === token ? session.previous.refreshToken?.claims['jti'] : undefined
  return before !== undefined && before !== session.tokens?.refreshToken?.claims['jti']
}
