/*
 * The step-up dialog: a native <dialog> that says what was refused and asks for the password. It
 * stays open while the password is wrong or the server cannot check it. It returns the final
 * result, or undefined when the user closes it (Esc or Cancel). It keeps no password.
 */

import type { ActionsView } from './actions.ts'
import { adviseOn } from './advice.ts'
import type { Result } from './api.ts'
import { element, find, replace, write } from './element.ts'
import type { Session } from './session.ts'

/** Connects #step-up. Returns the function that asks for the password. */
export function createStepUpDialog(session: Session): ActionsView['askPassword'] {
  const dialog = find('step-up', HTMLDialogElement)
  const form = find('step-up-form', HTMLFormElement)
  const password = find('step-up-password', HTMLInputElement)
  const problem = find('step-up-problem', HTMLElement)
  const confirm = find('step-up-confirm', HTMLButtonElement)
  let verify: ((password: string) => Promise<Result>) | undefined
  let outcome: Result | undefined
  let busy = false

  const release = () => {
    busy = false
    confirm.removeAttribute('aria-disabled')
  }
  const check = async () => {
    if (!verify || busy) return
    busy = true
    confirm.setAttribute('aria-disabled', 'true')
    write(problem, '')
    const asked = verify
    const result = await asked(password.value)
    if (verify !== asked) return
    release()
    if (!result.ok && mayTryAgain(result)) {
      write(problem, describe(result))
      password.select()
      password.focus()
      return
    }
    outcome = result
    dialog.close()
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void check()
  })
  find('step-up-cancel', HTMLButtonElement).addEventListener('click', () => dialog.close())

  return (call, refused, check) =>
    new Promise((resolve) => {
      const { user } = session
      replace(
        find('step-up-reason', HTMLElement),
        element('code', {}, `${call.method} ${call.path}`),
        ` was refused: ${refused.message}. Enter the password${user ? ' of ' : ''}`,
        user && element('strong', {}, user),
        '. Then the client repeats the request.',
      )
      find('step-up-user', HTMLInputElement).value = user
      write(problem, '')
      verify = check
      outcome = undefined
      const finish = () => {
        form.reset()
        release()
        verify = undefined
        resolve(outcome)
      }
      dialog.addEventListener('close', finish, { once: true })
      dialog.showModal()
      password.focus()
    })
}

function mayTryAgain(result: Result): boolean {
  if (result.code === 'credentials_invalid') return true
  return result.status === 0 || result.status === 400 || result.status === 429 || result.status >= 500
}

function describe(result: Result): string {
  if (result.code === 'credentials_invalid') return 'The password is wrong. Try again.'
  return `${result.message}. ${adviseOn(result).text}`
}
