/*
 * Sends the requests of the API page. They go out as from any page of this server: with its
 * cookies, and with the CSRF value if they change something. The response takes the place of the
 * example.
 */

import { connectCopy } from './code.ts'
import { findIn, write } from './element.ts'

const CSRF = /(?:^|; )(?:__Host-|__Secure-)?csrf_token=([^;]*)/

for (const code of document.querySelectorAll('pre code'))
  write(code, (code.textContent ?? '').replace('http://localhost:8000', location.origin))

for (const button of document.querySelectorAll<HTMLButtonElement>('.copy')) {
  const panel = button.closest('.code')
  if (panel) connectCopy(button, () => findIn(panel, 'pre').textContent ?? '')
}

for (const form of document.querySelectorAll<HTMLFormElement>('form.send')) {
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void sendForm(form)
  })
}

async function sendForm(form: HTMLFormElement): Promise<void> {
  const panel = form.nextElementSibling
  if (!panel) return
  const output = findIn(panel, 'pre')
  write(findIn(panel, '.code-name'), 'Sent')
  const { title, text } = await send(form)
  write(findIn(panel, '.code-name'), title)
  write(findIn(output, 'code'), text)
}

async function send(form: HTMLFormElement): Promise<{ readonly title: string; readonly text: string }> {
  const { method = 'GET', path = '/' } = form.dataset
  const values = new FormData(form)
  const body = String(values.get('body') ?? '').trim()
  const target = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(values.get(name) ?? '')),
  )
  const csrf = CSRF.exec(document.cookie)?.[1]
  const headers: Record<string, string> = { accept: 'application/json' }
  if (body !== '') headers['content-type'] = 'application/json'
  if (csrf !== undefined && method !== 'GET') headers['x-csrf-token'] = csrf
  try {
    const init = { method, headers, cache: 'no-store', ...(body !== '' && { body }) } as const
    const response = await fetch(target, init)
    const text = await response.text()
    return { title: `Response: ${response.status}`, text: toPretty(text) || 'No body' }
  } catch {
    return { title: 'No response', text: 'The server could not be reached.' }
  }
}

function toPretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
