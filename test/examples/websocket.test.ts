/**
 * The chat of the example: two users, a ticket, a step-up on an open socket, and a logout that
 * closes it.
 */
import { expect, it } from 'vitest'
import { open, outcome } from '../adapters/ws/sockets.ts'
import { inThePast, send, startExample, tokensOf } from './program.ts'

const ANN = { username: 'user1', password: 'password1' }
const BOB = { username: 'user2', password: 'password2' }

it('lets users talk, asks for the password again, and ends with the session', async () => {
  const { url } = await startExample('websocket')
  const host = url.replace('http://', '')
  const login = tokensOf(await send(url, 'POST /auth/login', { json: ANN }))
  const other = tokensOf(await send(url, 'POST /auth/login', { json: BOB }))
  const old = tokensOf(await send(url, 'POST /auth/refresh', { json: { refresh_token: login.refresh } }))

  const ann = await open(host, { protocols: ['tokenwright', `bearer.${old.access}`] })
  const { ticket } = JSON.parse((await send(url, 'POST /auth/ticket', { token: other.access })).text)
  const bob = await open(host, { path: `/?ticket=${ticket}` })
  expect(await outcome(host, { path: `/?ticket=${ticket}` })).toBe('401 token_revoked')

  const heard = new Promise((resolve) => bob.socket.once('message', (data) => resolve(String(data))))
  expect(await ann.ask('hello')).toBe('user1: hello')
  expect(await heard).toBe('user1: hello')

  expect(JSON.parse(await ann.ask('/clear'))).toMatchObject({ code: 'fresh_token_required' })
  const fresh = tokensOf(await send(url, 'POST /auth/verify-password', { token: old.access, json: ANN }))
  expect(await ann.ask(`/token ${fresh.access}`)).toBe('user1 stays')
  expect(await ann.ask('/clear')).toBe('user1 has cleared the chat')
  expect(JSON.parse(await ann.ask(`/token ${other.access}`))).toMatchObject({ code: 'subject_mismatch' })

  expect((await send(url, 'POST /auth/logout', { token: fresh.access })).status).toBe(204)
  expect(await ann.closed).toEqual({ code: 4401, reason: 'token_revoked' })
  expect(await bob.ask('alone')).toBe('user2: alone')
})

it('refuses a token that has expired', async () => {
  const { url } = await startExample('websocket')
  const token = await inThePast(3600).createAccessToken('user1')
  const protocols = ['tokenwright', `bearer.${token}`]
  expect(await outcome(url.replace('http://', ''), { protocols })).toBe('401 token_expired')
})
