/**
 * The adapter suite: one table of requests, sent over the wire to every door. The fetch door's answer must be what the table says,
 * and the answer of every other door must be that of the fetch door, byte for byte in all that the library writes.
 */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Auth } from '../../../src/index.ts'
import { claimsOf, forge, setUp } from '../../token/forge.ts'
import { CASES, type Case } from './cases.ts'
import { type Door, MODEL, DOORS as PLAIN } from './frameworks.ts'
import { NEST_DOORS } from './nest.ts'
import { OPTIONS, toRoutes } from './routes.ts'
import { type Answer, converse, membersOf, send, toBytes } from './wire.ts'

/** Every door that is compared with the model. */
const DOORS: readonly Door[] = [...PLAIN, ...NEST_DOORS]

/** A door that listens. */
interface Open {
  readonly port: number
  readonly server: Server
}

const opened = new Map<Door, Open>()
const model = new Map<Case, Answer>()

async function open(door: Door, auth: Auth): Promise<void> {
  const server = await door.open({ auth, routes: toRoutes(auth) })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  opened.set(door, { port: (server.address() as AddressInfo).port, server })
}

beforeAll(async () => {
  const { auth } = setUp(OPTIONS)
  for (const door of [MODEL, ...DOORS]) await open(door, auth as Auth)
})

afterAll(() => {
  for (const { server } of opened.values()) server.closeAllConnections()
  for (const { server } of opened.values()) server.close()
})

function portOf(door: Door): number {
  return opened.get(door)!.port
}

/** The fetch door's answer to a case, asked once. */
async function modelOf(example: Case): Promise<Answer> {
  const answer = model.get(example) ?? (await send(portOf(MODEL), example.request))
  model.set(example, answer)
  return answer
}

describe('the entry point fetch', () => {
  it.each(CASES.map((example) => [example.name, example] as const))('%s', async (_, example) => {
    const answer = await modelOf(example)
    const { code } = answer.status === 200 || example.request.method === 'HEAD' ? {} : membersOf(answer)
    expect(code ?? answer.status, answer.body).toBe(example.expected)
    if (example.body !== undefined) expect(membersOf(answer)).toEqual(example.body)
    if (example.headers !== undefined) expect(answer.headers).toMatchObject(example.headers)
    if (example.cookies !== undefined) {
      const lines = [answer.headers['set-cookie'] ?? []].flat()
      expect(lines.map((line) => line.slice(0, line.indexOf('=')))).toEqual(example.cookies)
    }
  })
})

describe.each(DOORS.map((door) => [door.name, door] as const))('%s', (_, door) => {
  const examples = CASES.filter((example) => {
    if (door.parsesFirst && example.unparsed) return false
    return !door.seesNoBody || example.request.body === undefined || hasHeaderToken(example)
  })
  it.each(examples.map((example) => [example.name, example] as const))('%s', async (_, example) => {
    expect(await send(portOf(door), example.request)).toEqual(await modelOf(example))
  })
})

function hasHeaderToken({ request }: Case): boolean {
  return (request.headers ?? []).some(([name]) => name === 'Authorization')
}

describe.each(DOORS.filter((door) => door.seesNoBody))('$name', (door) => {
  it('finds no token in a body that is not parsed yet, and warns of it', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    const body = JSON.stringify({ access_token: token })
    const answer = await send(portOf(door), { method: 'POST', target: '/body', headers: [JSON_TYPE], body })
    expect(membersOf(answer)['code']).toBe('token_missing')
    expect(await warned).toMatchObject({ code: 'TOKENWRIGHT_BODY_NOT_PARSED' })
  })
})

const token = forge(claimsOf({ login_type: 'us' }))
const bearer = ['Authorization', `Bearer ${token}`] as const
const JSON_TYPE = ['Content-Type', 'application/json'] as const

describe.each([MODEL, ...DOORS].map((door) => [door.name, door] as const))('connections: %s', (_, door) => {
  it('survives clients that go away in the middle of a body', async () => {
    const { connect } = await import('node:net')
    const whole = toBytes({
      method: 'POST',
      target: '/body',
      headers: [JSON_TYPE],
      body: JSON.stringify({ access_token: token, filler: 'x'.repeat(50_000) }),
    })
    for (const length of [whole.length - 1, 20_000, 200, 120]) {
      const socket = connect(portOf(door), '127.0.0.1')
      await new Promise<void>((resolve) => socket.write(whole.subarray(0, length), () => resolve()))
      await new Promise((resolve) => setTimeout(resolve, 10))
      socket.resetAndDestroy()
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
    const answer = await send(portOf(door), { target: '/access', headers: [bearer] })
    expect(answer.status).toBe(200)
  })

  it('responds to the next request on a connection whose body was too large, refused or taken', async () => {
    const next = toBytes({ target: '/access', headers: [bearer] })
    const large = { method: 'POST', target: '/body', headers: [JSON_TYPE], chunked: true } as const
    const messages = [
      toBytes({
        ...large,
        headers: [['Content-Type', 'application/octet-stream'], bearer],
        body: 'x'.repeat(1_500_000),
      }),
      next,
      toBytes({
        ...large,
        headers: door.seesNoBody ? [JSON_TYPE, bearer] : [JSON_TYPE],
        body: JSON.stringify({ access_token: token, filler: 'x'.repeat(300_000) }),
      }),
      next,
      ...(door.parsesFirst || door.seesNoBody
        ? []
        : [toBytes({ ...large, body: JSON.stringify({ filler: 'x'.repeat(1_400_000) }) }), next]),
    ]
    const answers = await converse(portOf(door), messages)
    expect(answers.map(({ status }) => status)).toEqual(
      [200, 200, 200, 200, 400, 200].slice(0, answers.length),
    )
    expect(answers).toHaveLength(messages.length)
  })

  it('reads a body that comes in pieces, slowly', async () => {
    const whole = toBytes({
      method: 'POST',
      target: '/body',
      headers: door.seesNoBody ? [JSON_TYPE, bearer] : [JSON_TYPE],
      body: JSON.stringify({ access_token: token, note: 'x'.repeat(100) }),
    })
    const { connect } = await import('node:net')
    const socket = connect(portOf(door), '127.0.0.1').setNoDelay(true)
    const answered = new Promise<string>((resolve) => {
      let text = ''
      socket.on('data', (bytes) => {
        text += String(bytes)
        if (text.includes('note')) resolve(text)
      })
    })
    for (let at = 0; at < whole.length; at += 120) {
      socket.write(whole.subarray(at, at + 120))
      await new Promise((resolve) => setTimeout(resolve, 3))
    }
    expect(await answered).toMatch(/^HTTP\/1\.1 200 /)
    socket.destroy()
  })
})
