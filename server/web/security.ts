/*
 * How the user signs in: the password, the passkeys, the second step. Each row has what can be done
 * about it. What opens or closes a way in needs a fresh token, and so asks who the user is.
 */

import type { AccountState } from './account-state.ts'
import type { Actions } from './actions.ts'
import { ago } from './ago.ts'
import type { Json } from './api.ts'
import { nameDevice } from './device.ts'
import { element, find, replace, write } from './element.ts'
import { createAPasskey, whyNoPasskeys } from './passkeys.ts'
import type { Session } from './session.ts'

/** What opens the dialogs of the rows. */
export interface SecurityDialogs {
  changePassword(): void
  switchOn(): void
}

/** Connects #security. */
export function createSecurity(
  session: Session,
  account: AccountState,
  actions: Actions,
  dialogs: SecurityDialogs,
): void {
  const list = find('security-list', HTMLElement)
  const problem = find('security-problem', HTMLElement)

  const addPasskey = async (): Promise<void> => {
    write(problem, '')
    const begun = await actions.perform({
      method: 'POST',
      path: '/account/passkeys/options',
      success: 'Your browser now asks you for the passkey.',
    })
    if (!begun?.ok) return
    const made = await createAPasskey(begun.body)
    if ('problem' in made) return write(problem, made.problem)
    const success = 'From now on you can sign in with the passkey alone.'
    await actions.perform({ method: 'POST', path: '/account/passkeys', body: made.proof, success })
  }
  const removePasskey = (id: string): void =>
    void actions.perform({
      method: 'DELETE',
      path: `/account/passkeys/${id}`,
      success: 'The passkey no longer works here. You can delete it on your device, too.',
    })
  const switchOff = (): void =>
    void actions.perform({
      method: 'DELETE',
      path: '/account/second-factor',
      success: 'A password alone is enough again.',
    })

  account.watch(() => {
    write(problem, '')
    if (!account.isKnown) {
      replace(list, element('li', { class: 'hint' }, 'Sign in to see how you sign in.'))
      return
    }
    const { isSecondStepOn, recoveryCodes, passkeys } = account
    const left = `${recoveryCodes} recovery ${recoveryCodes === 1 ? 'code' : 'codes'} left`
    replace(
      list,
      createRow('Password', 'Changing it signs out all other devices.', ['Change', dialogs.changePassword]),
      ...passkeys.map((passkey) => createPasskeyRow(passkey, session, removePasskey)),
      createPasskeyOffer(() => void addPasskey()),
      isSecondStepOn
        ? createRow('Second step: on', `After the password, a code. ${left}.`, ['Switch off', switchOff])
        : createRow('Second step: off', 'Ask for a code of an app after the password.', [
            'Switch on',
            dialogs.switchOn,
          ]),
    )
  })
}

function createPasskeyRow(passkey: Json, session: Session, remove: (id: string) => void): HTMLElement {
  const device = nameDevice(passkey['user_agent'])
  const used = `Added ${ago(passkey['created_at'], session)}, last used ${ago(passkey['last_used_at'], session)}`
  const row = createRow(`Passkey of ${device}`, used, ['Remove', () => remove(String(passkey['id']))])
  row.dataset['passkey'] = String(passkey['id'])
  return row
}

function createPasskeyOffer(add: () => void): HTMLElement {
  const why = whyNoPasskeys()
  if (!why)
    return createRow('Passkeys', 'Sign in with your fingerprint, face or PIN.', ['Add a passkey', add])
  const link = why.href && element('a', { href: why.href }, 'Open this page by its name')
  return createRow('Passkeys', why.text, undefined, link)
}

type Action = readonly [label: string, act: () => void]

function createRow(title: string, text: string, action?: Action, more?: HTMLElement | string): HTMLElement {
  const [label = '', act] = action ?? []
  const button = element(
    'button',
    { type: 'button', class: 'button small', 'aria-label': `${label}: ${title}` },
    label,
  )
  if (act) button.addEventListener('click', act)
  return element(
    'li',
    { class: 'way' },
    element(
      'div',
      { class: 'device-text' },
      element('strong', {}, title),
      element('span', { class: 'way-note' }, text, more ? ' ' : false, more),
    ),
    act && button,
  )
}
