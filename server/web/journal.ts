/*
 * The exchange log: each request and its response, the newest first. It is the only part of the
 * page that shows the protocol: statuses, headers and JSON, in details that a visitor opens. Of a
 * request body it shows the names of the fields and no values. It shortens each token in a response
 * to its first and last six characters.
 */

import type { Exchange } from './actions.ts'
import type { Call, Challenge, Json } from './api.ts'
import { BASE } from './base.ts'
import { element, find } from './element.ts'
import { createStatus } from './status.ts'
import { shorten } from './token.ts'

const KEPT = 100
const SHOWN = 6
const SECRET_NAME = /(^|_)(token|password|secret|csrf|codes|uri)$/i
/** A picture of a secret, of which even a part is too much. */
const PICTURE = 'qr'
const LOOKS_LIKE_TOKEN = /[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g

/** Connects #journal. Returns the function that adds an exchange. */
export function createJournal(): (exchange: Exchange) => void {
  const list = find('journal', HTMLElement)
  const empty = find('journal-empty', HTMLElement)
  const more = find('journal-more', HTMLButtonElement)
  const clear = find('journal-clear', HTMLButtonElement)
  let all = false

  const arrange = () => {
    const rows = [...list.children]
    for (const row of rows.slice(KEPT)) row.remove()
    for (const [index, row] of rows.entries()) row.toggleAttribute('hidden', !all && index >= SHOWN)
    empty.hidden = rows.length > 0
    clear.hidden = rows.length === 0
    more.hidden = rows.length <= SHOWN
    more.textContent = all ? 'Show fewer' : `Show all ${Math.min(rows.length, KEPT)}`
  }
  more.addEventListener('click', () => {
    all = !all
    arrange()
  })
  clear.addEventListener('click', () => {
    list.replaceChildren()
    all = false
    arrange()
    find('journal-title', HTMLElement).focus()
  })
  return (exchange) => {
    list.prepend(createEntry(exchange, new Date()))
    arrange()
  }
}

/** A JSON value with every secret in it shortened. */
export function redact(value: unknown, name = ''): unknown {
  if (name === PICTURE) return '…'
  if (typeof value === 'string')
    return SECRET_NAME.test(name) ? shorten(value) : value.replace(LOOKS_LIKE_TOKEN, shorten)
  if (Array.isArray(value)) return value.map((item) => redact(item, name))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redact(item, key)]))
}

function createEntry({ call, result, note }: Exchange, at: Date): HTMLElement {
  const time = at.toLocaleTimeString(undefined, { hour12: false })
  return element(
    'li',
    { class: 'entry' },
    element(
      'p',
      { class: 'entry-line' },
      element('code', {}, `${call.method} ${BASE}${call.path}`),
      createStatus(result.status),
    ),
    element(
      'details',
      {},
      element(
        'summary',
        { title: 'What was sent and received' },
        element('time', { datetime: at.toISOString() }, time),
        element('span', {}, `${Math.max(1, Math.round(result.took * 1000))} ms`),
        note && element('span', { class: 'note' }, note),
      ),
      element('pre', {}, [...describeCall(call), '', ...describeBody(result.status, result.body)].join('\n')),
      result.challenge && createChallenge(result.challenge),
    ),
  )
}

function createChallenge({ scheme, parameters }: Challenge): HTMLElement {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [
    ' ',
    element('span', { class: 'parameter' }, element('b', {}, name), '=', `"${String(redact(value))}"`),
  ])
  return element(
    'p',
    { class: 'challenge' },
    element('span', { class: 'challenge-name' }, 'WWW-Authenticate'),
    ` ${scheme}`,
    ...pairs,
  )
}

function describeCall(call: Call): readonly string[] {
  const fields = Object.keys(call.body ?? {}).filter((name) => name !== 'delivery')
  return [
    `> ${call.method} ${BASE}${call.path}`,
    ...(call.token === undefined ? ['> Cookie: what the browser keeps for this server'] : []),
    ...(call.csrf ? [`> X-CSRF-Token: ${shorten(call.csrf)}`] : []),
    ...(call.token ? [`> Authorization: Bearer ${shorten(call.token)}`] : []),
    ...(fields.length > 0 ? [`> Body: ${fields.join(', ')} (not shown)`] : []),
  ]
}

function describeBody(status: number, body: Json): readonly string[] {
  if (status === 0) return ['< no response']
  const empty = Object.keys(body).length === 0
  return [
    `< ${status}`,
    ...(empty
      ? []
      : JSON.stringify(redact(body), null, 2)
          .split('\n')
          .map((line) => `< ${line}`)),
  ]
}
