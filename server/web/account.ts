/*
 * The live card at the top: the sign-in form, or who is signed in, with the countdown and the token
 * itself. Both lie in one place, so that nothing moves when they change. The keyboard focus moves
 * along, so that it does not stay on a button that is gone.
 */

import type { Actions } from './actions.ts'
import { adviseOn } from './advice.ts'
import type { Json, Result } from './api.ts'
import { HAS_DEMO } from './base.ts'
import { element, find, replace, write } from './element.ts'
import type { Session } from './session.ts'

/** Connects #sign-in and #account. */
export function createAccount(session: Session, actions: Actions): void {
  connectSignIn(actions)
  find('logout', HTMLButtonElement).addEventListener('click', () => void actions.logout())

  const signIn = find('sign-in', HTMLElement)
  const account = find('account', HTMLElement)
  const title = find('account-title', HTMLElement)
  const raw = find('raw', HTMLElement)
  session.watch(() => {
    const { isSignedIn, user, token } = session
    const was = !account.hidden
    const hadFocus = signIn.contains(document.activeElement)
    signIn.hidden = isSignedIn
    account.hidden = !isSignedIn
    replace(title, user ? 'Signed in as ' : 'Signed in', user && element('strong', {}, user))
    if (token) {
      const [header, claims] = token.segments
      write(find('account-pace', HTMLElement), describePace(token.claims))
      replace(
        raw,
        element('span', { class: 'raw-header' }, header),
        '.',
        element('span', { class: 'raw-claims' }, claims),
        '.',
        element('span', { class: 'raw-signature' }, 'signature'),
      )
    }
    if (isSignedIn && !was && hadFocus) title.focus({ preventScroll: true })
    if (was && !isSignedIn && account.contains(document.activeElement)) focusSignIn()
  })
}

function describePace({ exp, iat }: Json): string {
  const life = Number(exp) - Number(iat)
  if (!(life < 120)) return ''
  return `Tokens live for ${life} seconds here, so that you can watch. The usual is 15 minutes.`
}

/** Moves the focus to the user name. */
export function focusSignIn(): void {
  find('live', HTMLElement).scrollIntoView({ block: 'nearest' })
  find('username', HTMLInputElement).focus({ preventScroll: true })
}

function connectSignIn(actions: Actions): void {
  const form = find('sign-in-form', HTMLFormElement)
  const username = find('username', HTMLInputElement)
  const password = find('password', HTMLInputElement)
  const remember = find('remember', HTMLInputElement)
  const problem = find('sign-in-problem', HTMLElement)

  const signIn = async () => {
    write(problem, '')
    const result = await actions.login(username.value, password.value, remember.checked)
    if (!result) return
    if (result.ok) {
      form.reset()
      return
    }
    write(problem, describe(result))
    password.select()
    password.focus()
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void signIn()
  })
  // Until this script was there, the browser itself would have sent the form.
  for (const button of find('sign-in', HTMLElement).querySelectorAll('button')) button.disabled = false
  // The demo users are no secret: one press signs in.
  if (HAS_DEMO) username.defaultValue = password.defaultValue = 'test'
  for (const button of document.querySelectorAll<HTMLButtonElement>('#demo-users button')) {
    button.addEventListener('click', () => {
      username.value = button.dataset['user'] ?? ''
      password.value = button.dataset['user'] ?? ''
      void signIn()
    })
  }
}

function describe(result: Result): string {
  return `${result.message}. ${adviseOn(result).text}`
}
