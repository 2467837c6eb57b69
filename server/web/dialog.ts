/*
 * The step-up dialog: a native <dialog> that says what was refused and why, asks for the password,
 * and stays open while the password is wrong. It ends with the answer of a check that is no longer
 * about the password, or with undefined when the user closes it (Esc, Cancel). Keeps no password.
 */

import { adviseOn } from './advice.ts'
import type { Answer } from './api.ts'
import type { Stage } from './conversation.ts'
import { element, find, replace, write } from './element.ts'
import type { Session } from './session.ts'

/** Wires #step-up and gives the function that asks. */
export function createStepUpDialog(session: Session): Stage['askPassword'] {
  const dialog = find('step-up', HTMLDialogElement)
  const form = find('step-up-form', HTMLFormElement)
  const password = find('step-up-password', HTMLInputElement)
  const problem = find('step-up-problem', HTMLElement)
  const confirm = find('step-up-confirm', HTMLButtonElement)
  let verify: ((password: string) => Promise<Answer>) | undefined
  let outcome: Answer | undefined
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
    const answer = await asked(password.value)
    if (verify !== asked) return
    release()
    if (!answer.ok && mayTryAgain(answer)) {
      write(problem, describe(answer))
      password.select()
      password.focus()
      return
    }
    outcome = answer
    dialog.close()
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void check()
  })
  find('step-up-cancel', HTMLButtonElement).addEventListener('click', () => dialog.close())

  return (wish, refused, check) =>
    new Promise((resolve) => {
      const user = String(session.tokens?.accessToken?.claims['sub'] ?? '')
      replace(
        find('step-up-reason', HTMLElement),
        element('code', { class: 'route' }, `${wish.method} ${wish.path}`),
        ` was refused: ${refused.message}. Enter the password${user ? ' of ' : ''}`,
        user && element('strong', {}, user),
        ', and the call is repeated.',
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

function mayTryAgain(answer: Answer): boolean {
  if (answer.code === 'credentials_invalid') return true
  return answer.status === 0 || answer.status === 400 || answer.status === 429 || answer.status >= 500
}

function describe(answer: Answer): string {
  if (answer.code === 'credentials_invalid') return 'That is not the password. Try again.'
  return `${answer.message}. ${adviseOn(answer).text}`
}
