/** The Nest example: the journey of `fresh-tokens`, and what its application-wide guard leaves open. */
import { expect, it } from 'vitest'
import { send, startExample, tokensOf } from './program.ts'

it('answers as fresh-tokens does', async () => {
  const { url } = await startExample('nest')
  const login = await send(url, 'POST /login', { json: { username: 'test', password: 'test' } })
  expect(login.status).toBe(201)
  const { access, refresh } = tokensOf(login)
  expect((await send(url, 'POST /change-password', { token: access })).text).toBe(
    '{"message":"Password changed"}',
  )
  const refreshed = await send(url, 'POST /refresh', { token: refresh })
  const stale = tokensOf(refreshed).access
  expect(await send(url, 'GET /protected', { token: stale })).toMatchObject({
    status: 200,
    text: '{"message":"You have access","sub":"test"}',
  })
  const refused = await send(url, 'POST /change-password', { token: stale })
  expect(refused).toMatchObject({ status: 401, text: expect.stringContaining('fresh_token_required') })
  expect(refused.headers.get('www-authenticate')).toMatch(/max_age="900"/)
})

it('refuses what is neither open nor shown a token that will do', async () => {
  const { url } = await startExample('nest')
  const { access } = tokensOf(
    await send(url, 'POST /login', { json: { username: 'test', password: 'test' } }),
  )
  const wrong = await send(url, 'POST /login', { json: { username: 'test', password: 'wrong' } })
  expect(wrong).toMatchObject({ status: 401, text: expect.stringContaining('credentials_invalid') })
  expect((await send(url, 'POST /login')).status).toBe(401)
  const answers = [
    await send(url, 'GET /protected'),
    await send(url, 'POST /refresh', { token: access }),
    await send(url, 'POST /refresh'),
  ]
  expect(answers.map(({ status, text }) => [status, JSON.parse(text).code])).toEqual([
    [401, 'token_missing'],
    [401, 'refresh_token_required'],
    [401, 'token_missing'],
  ])
})
