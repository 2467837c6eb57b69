/*
 * The step-up dialog: a native <dialog> that says what was refused and asks who the user is, by a
 * passkey, a code or the password, whatever the account has. It stays open while the proof is wrong
 * or the server cannot check it. It returns the final result, or undefined when the user closes it
 * (Esc or Cancel). It keeps no proof.
 */

import type { AccountState } from './account-state.ts'
import type { ActionsView, Prove } from './actions.ts'
import { adviseOn } from './advice.ts'
import type { Result } from './api.ts'
import { element, find, replace, write } from './element.ts'
import { whyNoPasskeys } from './passkeys.ts'
import type { Session } from './session.ts'

/** What the field takes. */
const FIELDS = {
  password: { label: 'Password', type: 'password', autocomplete: 'current-password' },
  code: { label: 'Code of your app, or a recovery code', type: 'text', autocomplete: 'one-time-code' },
} as const

/** Connects #step-up. Returns the function that asks who the user is. */
export function createStepUpDialog(session: Session, account: AccountState): ActionsView['askProof'] {
  const dialog = find('step-up', HTMLDialogElement)
  const form = find('step-up-form', HTMLFormElement)
  const field = find('step-up-password', HTMLInputElement)
  const problem = find('step-up-problem', HTMLElement)
  const confirm = find('step-up-confirm', HTMLButtonElement)
  const passkey = find('step-up-passkey', HTMLButtonElement)
  const buttons = [confirm, passkey]
  let kind: keyof typeof FIELDS = 'password'
  let prove: Prove | undefined
  let outcome: Result | undefined
  let busy = false

  const show = (): void => {
    kind = account.methods.includes('code') ? 'code' : 'password'
    const { label, type, autocomplete } = FIELDS[kind]
    write(find('step-up-label', HTMLElement), label)
    field.type = type
    field.autocomplete = autocomplete
    passkey.hidden = !account.methods.includes('passkey') || whyNoPasskeys() !== undefined
  }
  const release = (): void => {
    busy = false
    for (const button of buttons) button.removeAttribute('aria-disabled')
  }
  const check = async (attempt: (by: Prove) => Promise<Result>): Promise<void> => {
    if (!prove || busy) return
    busy = true
    for (const button of buttons) button.setAttribute('aria-disabled', 'true')
    write(problem, '')
    const asked = prove
    const result = await attempt(asked)
    if (prove !== asked) return
    release()
    if (result.ok || !mayTryAgain(result)) {
      outcome = result
      dialog.close()
      return
    }
    // Another tab has switched the second step on.
    if (result.code === 'proof_required') await account.reload()
    write(problem, describe(result, kind))
    field.select()
    field.focus()
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void check((by) => by.text({ [kind]: field.value }))
  })
  passkey.addEventListener('click', () => void check((by) => by.passkey()))
  find('step-up-cancel', HTMLButtonElement).addEventListener('click', () => dialog.close())
  account.watch(show)

  return (call, refused, by) =>
    new Promise((resolve) => {
      const { user } = session
      replace(
        find('step-up-reason', HTMLElement),
        element('code', {}, `${call.method} ${call.path}`),
        ` was refused: ${refused.message}. Confirm that you are `,
        user ? element('strong', {}, user) : 'the one who signed in',
        '. Then the client repeats the request.',
      )
      find('step-up-user', HTMLInputElement).value = user
      write(problem, '')
      prove = by
      outcome = undefined
      const finish = (): void => {
        form.reset()
        release()
        prove = undefined
        resolve(outcome)
      }
      dialog.addEventListener('close', finish, { once: true })
      dialog.showModal()
      if (passkey.hidden) field.focus()
      else passkey.focus()
    })
}

const MAY_TRY_AGAIN = ['credentials_invalid', 'proof_required', 'no_passkey']

function mayTryAgain({ code = '', status }: Result): boolean {
  return MAY_TRY_AGAIN.includes(code) || status === 0 || status === 400 || status === 429 || status >= 500
}

function describe(result: Result, kind: keyof typeof FIELDS): string {
  if (result.code === 'no_passkey') return result.message
  if (result.code === 'proof_required') return 'A code is needed as well. Enter one.'
  if (result.code === 'credentials_invalid')
    return kind === 'code'
      ? 'That did not work. Each code is good for one use.'
      : 'The password is wrong. Try again.'
  return `${result.message}. ${adviseOn(result).text}`
}
