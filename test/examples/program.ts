/** Starts a built example as a process of its own, and talks to it over real HTTP. */
import { join } from 'node:path'
import { createAuth } from '../../src/index.ts'
import { ROOT, type RunningServer, startServer, temporaryFolder } from '../server/process.ts'

/** The secret of examples under test, so that a test can make tokens of its own. */
export const SECRET = 'Vw3nYq8LrT5kXz2mBc7dFh9jPs4gUa6e'

/** An answer, as it came. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** What to send beside method and path. */
export interface Parts {
  readonly token?: string
  readonly json?: unknown
}

/** The command that starts an example. */
export function commandOf(name: string): string[] {
  return [process.execPath, join(ROOT, 'examples/dist', `${name}.js`)]
}

/** Starts an example; it is stopped after the test. */
export function startExample(
  name: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningServer> {
  return startServer({ TOKENWRIGHT_SECRET: SECRET, TZ: 'UTC', ...env }, temporaryFolder(), commandOf(name))
}

/** Sends a request such as `'POST /login'`. */
export async function send(url: string, what: string, { token, json }: Parts = {}): Promise<Answer> {
  const [method = '', path = ''] = what.split(' ')
  const headers = new Headers()
  if (token !== undefined) headers.set('Authorization', `Bearer ${token}`)
  if (json !== undefined) headers.set('Content-Type', 'application/json')
  const body = json === undefined ? null : JSON.stringify(json)
  return receive(await fetch(`${url}${path}`, { method, headers, body, redirect: 'manual' }))
}

/** Reads an answer to its end. */
export async function receive(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** The members of an answer that are tokens. */
export function tokensOf({ text }: Answer): { readonly access: string; readonly refresh: string } {
  const { access_token = '', refresh_token = '' } = JSON.parse(text)
  return { access: access_token, refresh: refresh_token }
}

/** The claims of a token, unverified. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}

/** Makes tokens as the example would have made them some seconds ago. */
export function inThePast(seconds: number): ReturnType<typeof createAuth> {
  return createAuth({ secret: SECRET, clock: () => Date.now() / 1000 - seconds })
}
