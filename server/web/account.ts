/*
 * Signing in and being signed in: two cards in one place, of which one is shown. Moves the keyboard
 * focus along with the change, so that nobody is left on a button that is gone.
 */

import { adviseOn } from './advice.ts'
import type { Answer } from './api.ts'
import type { Conversation } from './conversation.ts'
import { element, find, replace, write } from './element.ts'
import type { Session } from './session.ts'

/** Wires #sign-in and #account. */
export function createAccount(session: Session, conversation: Conversation): void {
  wireSignIn(conversation)
  find('refresh', HTMLButtonElement).addEventListener('click', () => void conversation.refresh())
  find('expire', HTMLButtonElement).addEventListener('click', () => void conversation.expire())
  find('logout', HTMLButtonElement).addEventListener('click', () => void conversation.logout())

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

/** Puts the focus where signing in begins. */
export function focusSignIn(): void {
  find('username', HTMLInputElement).focus()
}

function wireSignIn(conversation: Conversation): void {
  const form = find('sign-in-form', HTMLFormElement)
  const username = find('username', HTMLInputElement)
  const password = find('password', HTMLInputElement)
  const problem = find('sign-in-problem', HTMLElement)

  const signIn = async () => {
    write(problem, '')
    const answer = await conversation.login(username.value, password.value)
    if (!answer) return
    if (answer.ok) {
      form.reset()
      return
    }
    replace(problem, describe(answer), ' ', element('code', { class: 'error-code' }, answer.code ?? ''))
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

function describe(answer: Answer): string {
  return `${answer.message}. ${adviseOn(answer).text}`
}
