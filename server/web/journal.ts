/*
 * The exchange log: each request and its answer, newest first. What is written down is chosen field
 * by field: of a request body the names only, never a value; tokens by their first and last six
 * characters, wherever in an answer they turn up.
 */

import { createStatus } from './answer.ts'
import type { Call, Challenge, Json } from './api.ts'
import type { Exchange } from './conversation.ts'
import { element, find } from './element.ts'
import { shorten } from './token.ts'

const KEPT = 100
const SHOWN = 6
const SECRET_NAME = /(^|_)(token|password|secret|csrf)$/i
const LOOKS_LIKE_TOKEN = /[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g

/** Wires #journal and gives the function that writes an exchange down. */
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

/** A JSON answer with every secret in it shortened. */
export function redact(value: unknown, name = ''): unknown {
  if (typeof value === 'string')
    return SECRET_NAME.test(name) ? shorten(value) : value.replace(LOOKS_LIKE_TOKEN, shorten)
  if (Array.isArray(value)) return value.map((item) => redact(item, name))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redact(item, key)]))
}

function createEntry({ call, answer, note }: Exchange, at: Date): HTMLElement {
  const time = at.toLocaleTimeString(undefined, { hour12: false })
  return element(
    'li',
    { class: 'entry' },
    element(
      'p',
      { class: 'entry-line' },
      element('code', { class: 'route' }, element('span', { class: 'method' }, call.method), ` ${call.path}`),
      createStatus(answer.status),
    ),
    element(
      'details',
      {},
      element(
        'summary',
        { title: 'What was sent and received' },
        element('time', { datetime: at.toISOString() }, time),
        answer.code && element('code', { class: 'error-code' }, answer.code),
        note && element('span', { class: 'note' }, note),
      ),
      element('pre', {}, [...describeCall(call), '', ...describeBody(answer.status, answer.body)].join('\n')),
      element('p', { class: 'took' }, `${Math.max(1, Math.round(answer.took * 1000))} ms`),
    ),
    answer.challenge && createChallenge(answer.challenge),
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
    `> ${call.method} ${call.path}`,
    ...(call.token ? [`> Authorization: Bearer ${shorten(call.token)}`] : []),
    ...(fields.length > 0 ? [`> Body: ${fields.join(', ')} (not shown)`] : []),
  ]
}

function describeBody(status: number, body: Json): readonly string[] {
  if (status === 0) return ['< no answer']
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
