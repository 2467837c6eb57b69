/*
 * The user's sessions: where they are signed in, ending one or all others (which asks for a fresh
 * token, and so for the password), and what becomes of a refresh token that comes a second time:
 * forgiven while the overlap lasts, taken for theft later.
 */

import type { Json } from './api.ts'
import type { Conversation, Exchange } from './conversation.ts'
import { nameDevice } from './device.ts'
import { element, find, replace, write } from './element.ts'
import { hasSession, type Session } from './session.ts'

const PATH = '/auth/sessions'

/** The refresh token before the current one, and when it was replaced. */
interface Replaced {
  readonly token: string
  readonly at: number
}

/** Wires #sessions, which is hidden where the server keeps none. */
export function createSessions(session: Session, conversation: Conversation): void {
  const card = find('sessions', HTMLElement)
  const list = find('sessions-list', HTMLElement)
  const others = find('sessions-others', HTMLButtonElement)

  const show = (rows: readonly Json[]): void => {
    replace(list, ...rows.map((row) => createRow(row, session, () => void end(row))))
    others.hidden = rows.length < 2
  }
  const load = async (): Promise<void> => {
    const answer = await conversation.look({ method: 'GET', path: PATH })
    const rows = answer.body['sessions']
    if (answer.ok && Array.isArray(rows)) show(rows as readonly Json[])
  }
  const end = async (row: Json): Promise<void> => {
    const own = row['current'] === true
    const success = own
      ? 'This session has ended.'
      : 'That device is signed out: its tokens are refused from now on.'
    const answer = await conversation.perform({
      method: 'DELETE',
      path: `${PATH}/${String(row['id'])}`,
      success,
    })
    if (answer?.ok && own) session.clear()
  }
  others.addEventListener('click', () => {
    const success = 'Every other device is signed out: its tokens are refused from now on.'
    void conversation.perform({ method: 'DELETE', path: PATH, success })
  })
  find('sessions-reload', HTMLButtonElement).addEventListener('click', () => void load())

  session.watch(() => {
    card.hidden = !hasSession(session)
    if (!card.hidden && session.previous === undefined) void load()
  })
  conversation.listen(({ call, answer }: Exchange) => {
    const changes = call.method !== 'GET' && (call.path.startsWith(PATH) || call.path === '/change-password')
    if (answer.ok && (changes || call.path === '/auth/refresh')) void load()
  })
  createReplay(session, conversation)
}

/** One session, with the button that ends it. */
function createRow(row: Json, session: Session, end: () => void): HTMLElement {
  const current = row['current'] === true
  const device = nameDevice(row['user_agent'])
  const button = element(
    'button',
    { type: 'button', class: 'button small', 'aria-label': `End the session ${device}` },
    'End',
  )
  button.addEventListener('click', end)
  const seen = `used ${ago(row['last_used_at'], session)}, since ${ago(row['created_at'], session)}`
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

/** The button that presents the previous refresh token, and what will come of it just now. */
function createReplay(session: Session, conversation: Conversation): void {
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
        ? 'Refresh first: then there is a token before the current one.'
        : left() > 0
          ? `For another ${Math.ceil(left())} s it is forgiven: a second tab, or an answer that was lost.`
          : 'The overlap is over: it will be taken for theft, and the session will end.'
    write(forecast, text)
  }
  session.watch(() => {
    const next = session.tokens?.refresh ?? ''
    if (next === held) return
    // A step-up hands out a token of the same generation: what was replaced before stays replaced.
    if (session.previous === undefined) replaced = undefined
    else if (isOlder(held, session)) replaced = { token: held, at: session.now() }
    held = next
    tell()
  })
  button.addEventListener('click', () => {
    if (replaced === undefined) return
    const success =
      'Replayed: the same refresh token was handed out again, with a new access token. Nobody is logged out by a race.'
    void conversation.present(replaced.token, success)
  })
  setInterval(tell, 500)
  tell()
}

/**
 * Whether a refresh token is of an earlier generation than the current one: a step-up replaces it
 * by one of the same.
 */
function isOlder(token: string, session: Session): boolean {
  const before =
    session.previous?.refresh === token ? session.previous.refreshToken?.claims['jti'] : undefined
  return before !== undefined && before !== session.tokens?.refreshToken?.claims['jti']
}
