/*
 * The live card at the top: the sign-in form, the code after the password, or who is signed in,
 * with the countdown and the token itself. All lie in one place, so that nothing moves when they
 * change. The keyboard focus moves along, so that it does not stay on a button that is gone.
 */

import type { Actions } from './actions.ts'
import { adviseOn } from './advice.ts'
import type { Json, Result } from './api.ts'
import { HAS_DEMO } from './base.ts'
import { element, find, replace, write } from './element.ts'
import { whyNoPasskeys } from './passkeys.ts'
import type { Session } from './session.ts'

/** Connects #sign-in and #account. */
export function createAccount(session: Session, actions: Actions): void {
  connectSignIn(actions)
  find('logout', HTMLButtonElement).addEventListener('click', () => void actions.logout())

  const signIn = find('sign-in', HTMLElement)
  const code = find('second-proof', HTMLElement)
  const account = find('account', HTMLElement)
  const title = find('account-title', HTMLElement)
  const raw = find('raw', HTMLElement)
  session.watch(() => {
    const { isSignedIn, user, token } = session
    const was = !account.hidden
    const hadFocus = [signIn, code].some((section) => section.contains(document.activeElement))
    signIn.hidden = isSignedIn || !code.hidden
    code.hidden ||= isSignedIn
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
  const askCode = connectCode(actions)

  const signIn = async (): Promise<void> => {
    write(problem, '')
    const result = await actions.login({
      username: username.value,
      password: password.value,
      remember: remember.checked,
    })
    if (!result) return
    if (result.ok || result.code === 'proof_required') {
      form.reset()
      if (!result.ok) askCode(String(result.body['continuation']))
      return
    }
    write(problem, describe(result))
    password.select()
    password.focus()
  }
  const signInByPasskey = async (): Promise<void> => {
    const why = whyNoPasskeys()
    if (why) {
      const link = why.href && element('a', { href: why.href }, 'Open this page by its name.')
      replace(problem, why.text, ' ', link)
      return
    }
    write(problem, '')
    const result = await actions.loginByPasskey(remember.checked)
    if (result?.ok) form.reset()
    else if (result) write(problem, describePasskey(result))
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void signIn()
  })
  find('passkey-button', HTMLButtonElement).addEventListener('click', () => void signInByPasskey())
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

/** Connects #second-proof, which asks for the code after the password. */
function connectCode(actions: Actions): (continuation: string) => void {
  const section = find('second-proof', HTMLElement)
  const signIn = find('sign-in', HTMLElement)
  const form = find('second-proof-form', HTMLFormElement)
  const code = find('second-proof-code', HTMLInputElement)
  const problem = find('second-proof-problem', HTMLElement)
  let continuation = ''

  const close = (): void => {
    form.reset()
    section.hidden = true
  }
  const goBack = (why: string): void => {
    close()
    signIn.hidden = false
    write(find('sign-in-problem', HTMLElement), why)
    find('password', HTMLInputElement).focus()
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    write(problem, '')
    void actions.login({ code: code.value, continuation }).then((result) => {
      if (!result) return
      if (result.ok) return close()
      if (result.code === 'continuation_invalid') return goBack(adviseOn(result).text)
      const isWrong = result.code === 'credentials_invalid'
      write(problem, isWrong ? 'That did not work. Each code is good for one use.' : describe(result))
      code.select()
    })
  })
  find('second-proof-back', HTMLButtonElement).addEventListener('click', () => goBack(''))
  return (given) => {
    continuation = given
    signIn.hidden = true
    section.hidden = false
    write(problem, '')
    code.focus()
  }
}

function describePasskey(result: Result): string {
  if (result.code === 'no_passkey') return result.message
  if (result.code === 'credentials_invalid') return 'This server does not know that passkey.'
  return describe(result)
}

function describe(result: Result): string {
  return `${result.message}. ${adviseOn(result).text}`
}
