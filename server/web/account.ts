/*
 * The two cards for signing in and for the signed-in user, of which one is shown. The keyboard
 * focus moves along with the change, so that it does not stay on a button that is gone.
 */

import type { Actions } from './actions.ts'
import { adviseOn } from './advice.ts'
import type { Result } from './api.ts'
import { element, find, replace, write } from './element.ts'
import type { Session } from './session.ts'

/** Connects #sign-in and #account. */
export function createAccount(session: Session, actions: Actions): void {
  connectSignIn(actions)
  find('refresh', HTMLButtonElement).addEventListener('click', () => void actions.refresh())
  find('expire', HTMLButtonElement).addEventListener('click', () => void actions.expire())
  find('logout', HTMLButtonElement).addEventListener('click', () => void actions.logout())

  const signIn = find('sign-in', HTMLElement)
  const account = find('account', HTMLElement)
  const title = find('account-title', HTMLElement)
  session.watch(() => {
    const claims = session.tokens?.accessToken?.claims
    const was = !account.hidden
    const is = session.tokens !== undefined
    signIn.hidden = is
    account.hidden = !is
    if (is) replace(title, 'Signed in as ', element('strong', {}, String(claims?.['sub'] ?? 'someone')))
    if (is && !was) title.focus({ preventScroll: true })
    if (was && !is) focusSignIn()
  })
}

/** Moves the focus to the user name. */
export function focusSignIn(): void {
  find('username', HTMLInputElement).focus()
}

function connectSignIn(actions: Actions): void {
  const form = find('sign-in-form', HTMLFormElement)
  const username = find('username', HTMLInputElement)
  const password = find('password', HTMLInputElement)
  const problem = find('sign-in-problem', HTMLElement)

  const signIn = async () => {
    write(problem, '')
    const result = await actions.login(username.value, password.value)
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
  for (const button of document.querySelectorAll<HTMLButtonElement>('#demo-users button')) {
    button.addEventListener('click', () => {
      username.value = button.dataset['user'] ?? ''
      password.value = button.dataset['user'] ?? ''
      write(problem, '')
      find('sign-in-button', HTMLButtonElement).focus()
    })
  }
}

function describe(result: Result): string {
  return `${result.message}. ${adviseOn(result).text}`
}
