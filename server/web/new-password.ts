/*
 * The dialog for a new password: because the user wants one, or because someone else was signed in.
 * Then it first signs that device out, and all others: whoever knew the password may have come
 * more than once.
 */

import type { Actions } from './actions.ts'
import type { Result } from './api.ts'
import { find, write } from './element.ts'
import type { Session } from './session.ts'

/** Opens the dialog. @param stranger the device of someone else, if there was one */
export type AskNewPassword = (stranger?: string) => void

/** Connects #new-password-dialog. */
export function createNewPassword(session: Session, actions: Actions): AskNewPassword {
  const dialog = find('new-password-dialog', HTMLDialogElement)
  const form = find('new-password-form', HTMLFormElement)
  const input = find('new-password-input', HTMLInputElement)
  const problem = find('new-password-problem', HTMLElement)
  let stranger: string | undefined

  const submit = async (): Promise<void> => {
    write(problem, '')
    const isOut = stranger === undefined || (await signOutOthers(actions))
    const result = isOut && (await changePassword(actions, input.value))
    if (!result) return
    if (result.ok) dialog.close()
    else {
      write(problem, `${result.message}.`)
      input.select()
    }
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void submit()
  })
  find('new-password-cancel', HTMLButtonElement).addEventListener('click', () => dialog.close())
  dialog.addEventListener('close', () => form.reset())

  return (device) => {
    stranger = device
    write(
      find('new-password-title', HTMLElement),
      device ? 'Someone else was signed in' : 'Change your password',
    )
    write(
      find('new-password-text', HTMLElement),
      device
        ? `We sign out ${device} and every other device but this one. Someone may know your password, so choose another. Then look through your passkeys, and remove those that you do not know.`
        : 'All other devices are signed out.',
    )
    find('new-password-user', HTMLInputElement).value = session.user
    write(problem, '')
    dialog.showModal()
    input.focus()
  }
}

/** Ends all other sessions. Resolves to whether that worked. */
export async function signOutOthers(actions: Actions): Promise<boolean> {
  const success = 'All other devices are signed out. Their tokens no longer work.'
  return (await actions.perform({ method: 'DELETE', path: '/auth/sessions', success }))?.ok === true
}

/** Changes the password. Undefined when the user cancels the step-up. */
export function changePassword(actions: Actions, password: string): Promise<Result | undefined> {
  return actions.perform({
    method: 'POST',
    path: '/change-password',
    body: { new_password: password },
    success: 'Use your new password from now on. Your other sessions have ended.',
  })
}
