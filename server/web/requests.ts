/*
 * The requests that a visitor can send, one row each: a button of page.html, what it does, and how
 * the last one went. Beside them stand the response in plain words, with a button for what the
 * visitor can do about it, and the code of server and browser. The response is a live region, so a
 * screen reader reads each once.
 */

import { focusSignIn } from './account.ts'
import type { Actions, PanelCall } from './actions.ts'
import { adviseOn, type Offer } from './advice.ts'
import type { Result } from './api.ts'
import { createCode } from './code.ts'
import { element, find, findIn, replace } from './element.ts'
import { changePassword } from './new-password.ts'
import { REFRESH_PATH } from './recorder.ts'
import type { Session } from './session.ts'
import { SNIPPETS } from './snippets.ts'
import { createStatus, toneOf } from './status.ts'

type Path = keyof typeof SNIPPETS

interface Row extends PanelCall {
  readonly path: Path
  /** What the response says before the first press. */
  readonly about: string
}

const ROWS: readonly Row[] = [
  {
    method: 'POST',
    path: '/auth/login',
    about: 'Checks who you are and starts a session. The tokens arrive in cookies.',
  },
  {
    method: 'GET',
    path: '/protected',
    about: 'Accepts every valid access token, fresh or not.',
    success: 'Any valid access token will do here, fresh or not.',
  },
  {
    method: 'POST',
    path: '/auth/refresh',
    about: 'Gets a new access token. The client does this by itself when one is about to end.',
  },
  {
    method: 'GET',
    path: '/sensitive_operation',
    about: 'Wants a token of someone who has just proved who they are.',
    success: 'Your token is fresh, because you proved who you are a short time ago.',
  },
  {
    method: 'GET',
    path: '/admin',
    about: 'Only for users whose token lists the right to administer. Sign in as admin to get in.',
    success: 'Your token lists the right to administer. It does not have to be fresh here.',
  },
  {
    method: 'POST',
    path: '/change-password',
    about: 'Asks who you are if you proved that more than a minute ago.',
  },
  {
    method: 'POST',
    path: '/auth/logout',
    about: 'Ends the session on the server and in every tab.',
  },
]

const OFFERS: Readonly<Record<Offer, (call: PanelCall) => string>> = {
  refresh: (call) => (call.path === REFRESH_PATH ? 'Refresh' : 'Refresh and repeat'),
  'step-up': () => 'Confirm that it is me',
  'sign-in': () => 'Sign in',
  retry: () => 'Try again',
}

/** Connects #requests and what stands beside it. */
export interface Requests {
  /** Shows the result of a call. */
  show(call: PanelCall, result: Result): void
  /** Connects the buttons, once the actions exist. */
  connect(actions: Actions): void
}

/** Creates the rows, the response and the code. */
export function createRequests(session: Session): Requests {
  const response = find('response', HTMLElement)
  const form = find('change-password', HTMLFormElement)
  const showCode = createCode(find('code', HTMLElement), SNIPPETS['/protected'])
  const buttons = [...find('requests', HTMLElement).querySelectorAll('button')]
  response.tabIndex = -1
  let actions: Actions | undefined

  const select = (row: Row): void => {
    for (const button of buttons)
      button.toggleAttribute('data-selected', button.dataset['route'] === row.path)
    form.hidden = row.path !== '/change-password'
    showCode(SNIPPETS[row.path])
  }
  const introduce = (row: Row): void => {
    select(row)
    delete response.dataset['tone']
    replace(response, createHead(row), element('p', { class: 'response-text' }, row.about))
  }
  const show = (call: PanelCall, result: Result): void => {
    const row = ROWS.find(({ path }) => path === call.path)
    if (row) select(row)
    const hadFocus = response.contains(document.activeElement)
    const { text, offer } = result.ok ? { text: call.success ?? '', offer: undefined } : adviseOn(result)
    response.dataset['tone'] = toneOf(result.status)
    const said = result.ok && result.status === 204 ? 'Done' : result.message
    replace(
      response,
      createHead(call),
      element('p', { class: 'response-line' }, createStatus(result.status), element('strong', {}, said)),
      text !== '' && element('p', { class: 'response-text' }, text),
      offer && createOffer(OFFERS[offer](call), () => take(offer, call)),
    )
    if (hadFocus) response.focus({ preventScroll: true })
  }
  const take = (offer: Offer, call: PanelCall): void => {
    if (offer === 'sign-in') focusSignIn()
    else void actions?.takeOffer(offer, call)
  }
  const press = (row: Row): void => {
    if (row.path === '/auth/login') {
      introduce(row)
      if (!session.isSignedIn) focusSignIn()
    } else if (row.path === '/change-password') {
      introduce(row)
      find('new-password', HTMLInputElement).focus()
    } else if (row.path === '/auth/refresh') void actions?.refresh()
    else if (row.path === '/auth/logout') void actions?.logout()
    else void actions?.perform(row)
  }
  for (const button of buttons) {
    const row = ROWS.find(({ path }) => path === button.dataset['route'])
    if (row) button.addEventListener('click', () => press(row))
  }
  introduce(ROWS[1] as Row)

  return {
    show,
    connect(given) {
      actions = given
      given.listen(({ call, result }) => {
        const button = buttons.find(({ dataset }) => dataset['route'] === call.path)
        if (button) replace(findIn(button, '.request-last'), createStatus(result.status))
      })
      connectChangePassword(session, given)
    },
  }
}

function createHead({ method, path }: PanelCall): HTMLElement {
  return element('p', { class: 'response-route' }, element('code', {}, `${method} ${path}`))
}

function createOffer(label: string, take: () => void): HTMLElement {
  const button = element('button', { type: 'button', class: 'button small' }, label)
  button.addEventListener('click', take)
  return element('p', {}, button)
}

function connectChangePassword(session: Session, actions: Actions): void {
  const form = find('change-password', HTMLFormElement)
  const input = find('new-password', HTMLInputElement)
  const user = form.elements.namedItem('username')
  session.watch(() => {
    if (user instanceof HTMLInputElement) user.value = session.user
    if (!session.isSignedIn) form.reset()
  })
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void change(input.value)
  })
  const change = async (password: string) => {
    if ((await changePassword(actions, password))?.ok) form.reset()
  }
}
