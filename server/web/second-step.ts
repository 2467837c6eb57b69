/*
 * The dialog that switches the second step on: the key as a picture and as a text, the first code,
 * and then the recovery codes, which the server shows once.
 */

import type { Actions } from './actions.ts'
import type { Json } from './api.ts'
import { connectCopy } from './code.ts'
import { element, find, replace, write } from './element.ts'

const SVG = 'http://www.w3.org/2000/svg'

/** Connects #second-step. Returns the function that opens it. */
export function createSecondStep(actions: Actions): () => void {
  const dialog = find('second-step', HTMLDialogElement)
  const form = find('second-step-form', HTMLFormElement)
  const code = find('second-step-code', HTMLInputElement)
  const problem = find('second-step-problem', HTMLElement)
  const kept = find('recovery', HTMLElement)
  const list = find('recovery-codes', HTMLElement)

  const show = (key: Json): void => {
    const uri = String(key['uri'])
    replace(find('second-step-qr', HTMLElement), drawSquares((key['qr'] ?? []) as readonly string[]))
    find('second-step-link', HTMLAnchorElement).href = uri.startsWith('otpauth:') ? uri : ''
    write(find('second-step-key', HTMLElement), String(key['secret']).replaceAll(/(.{4})(?=.)/g, '$1 '))
    write(problem, '')
    form.hidden = false
    kept.hidden = true
    dialog.showModal()
    code.focus()
  }
  const confirm = async (): Promise<void> => {
    write(problem, '')
    const result = await actions.perform({
      method: 'POST',
      path: '/account/second-factor',
      body: { code: code.value },
      success: 'From now on, a login by password asks for a code.',
    })
    if (!result) return
    if (!result.ok) {
      write(problem, `${result.message}.`)
      code.select()
      return
    }
    const codes = (result.body['recovery_codes'] ?? []) as readonly string[]
    replace(list, ...codes.map((text) => element('li', {}, element('code', {}, text))))
    form.hidden = true
    kept.hidden = false
    find('recovery-title', HTMLElement).focus()
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void confirm()
  })
  connectCopy(find('recovery-copy', HTMLButtonElement), () =>
    [...list.children].map(({ textContent }) => textContent).join('\n'),
  )
  find('recovery-done', HTMLButtonElement).addEventListener('click', () => dialog.close())
  find('second-step-cancel', HTMLButtonElement).addEventListener('click', () => dialog.close())
  dialog.addEventListener('close', () => {
    form.reset()
    for (const id of ['second-step-qr', 'second-step-key', 'recovery-codes']) replace(find(id, HTMLElement))
  })

  return () => {
    void actions
      .perform({
        method: 'POST',
        path: '/account/second-factor/setup',
        success: 'The dialog shows a key for your authenticator app.',
      })
      .then((result) => result?.ok && show(result.body))
  }
}

/** Draws rows of 0 and 1, dark on light in both schemes: cameras want it so. */
function drawSquares(rows: readonly string[]): SVGElement {
  const svg = document.createElementNS(SVG, 'svg')
  const path = document.createElementNS(SVG, 'path')
  const size = rows.length
  svg.setAttribute('viewBox', `-2 -2 ${size + 4} ${size + 4}`)
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', 'The key as a QR code')
  const squares = rows.flatMap((row, y) =>
    [...row].map((bit, x) => (bit === '1' ? `M${x} ${y}h1v1h-1z` : '')),
  )
  path.setAttribute('d', squares.join(''))
  svg.append(path)
  return svg
}
