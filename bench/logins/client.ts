/** A client of each application: logs in, and refreshes one session again and again. */
import { Agent, request } from 'node:http'
import { type AppName, toUser } from './apps.ts'

/** One user's device. */
export interface Client {
  /** Logs in; the earlier session is left as it is. */
  login(): Promise<void>
  /** Refreshes the session of the last login. */
  refresh(): Promise<void>
}

interface Response {
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: Record<string, unknown>
}

interface Request {
  readonly path: string
  readonly method: string
  readonly headers?: Record<string, string>
  readonly body?: object
}

/** Connections that stay open. */
export const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** Creates a client of an application, with a number. */
export function createClient(app: AppName, port: number, client: number): Client {
  const user = toUser(client)
  const send = (call: Request) => sendTo(port, call)
  if (app === 'better-auth') return createCookieClient(send, user)
  const prefix = app === 'Express, by hand' ? '' : '/auth'
  let token = ''
  const take = ({ body }: Response): void => {
    if (typeof body['refresh_token'] !== 'string' || body['refresh_token'] === token)
      throw new Error(`Expected a new refresh token of ${app}`)
    token = body['refresh_token']
  }
  return {
    async login() {
      const body = { username: user.email, password: user.password }
      take(await send({ path: `${prefix}/login`, method: 'POST', body }))
    },
    async refresh() {
      const headers = { authorization: `Bearer ${token}` }
      take(await send({ path: `${prefix}/refresh`, method: 'POST', headers }))
    },
  }
}

/** better-auth has one session cookie and no refresh token: a look at the session prolongs it. */
function createCookieClient(send: (call: Request) => Promise<Response>, user: object): Client {
  const origin = 'http://127.0.0.1'
  let cookie = ''
  return {
    async login() {
      const path = '/api/auth/sign-in/email'
      const { headers } = await send({ path, method: 'POST', headers: { origin }, body: user })
      cookie = [headers['set-cookie'] ?? []]
        .flat()
        .map((one) => one.split(';')[0])
        .join('; ')
    },
    async refresh() {
      const { headers, body } = await send({
        path: '/api/auth/get-session',
        method: 'GET',
        headers: { origin, cookie },
      })
      if (body['session'] === undefined || headers['set-cookie'] === undefined)
        throw new Error('Expected better-auth to prolong the session')
    },
  }
}

function sendTo(port: number, { path, method, headers = {}, body }: Request): Promise<Response> {
  const text = body === undefined ? '' : JSON.stringify(body)
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const length = method === 'GET' ? {} : { 'content-length': String(Buffer.byteLength(text)) }
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, method, agent, headers: { ...type, ...length, ...headers } },
      (response) => {
        let received = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          received += part
        })
        response.on('end', () => {
          if (response.statusCode !== 200) reject(new Error(`${path}: ${response.statusCode} ${received}`))
          else resolve({ headers: response.headers, body: (JSON.parse(received) ?? {}) as Response['body'] })
        })
      },
    )
    sent.on('error', reject).end(text)
  })
}
