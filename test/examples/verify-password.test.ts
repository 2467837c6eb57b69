/** Page 003 of decision 0002: its four steps, and the end that its renewal lacks. */
import { describe, expect, it } from 'vitest'
import { type Answer, claimsOf, inThePast, send, startExample, tokensOf } from './program.ts'

const CREDENTIALS = { username: 'user1', password: 'password1' }
const HOUR = 3600

it('responds to the steps of the page', async () => {
  const { url } = await startExample('verify-password')
  const login = tokensOf(await send(url, 'POST /login', { json: CREDENTIALS }))
  const renewed = await send(url, 'POST /refresh', { token: login.access })
  const { access } = tokensOf(renewed)
  expect(renewed).toMatchObject({ status: 200, text: `{"access_token":"${access}","token_type":"bearer"}` })

  const opened = await send(url, 'GET /protected', { token: access })
  expect(opened).toMatchObject({
    status: 200,
    text: '{"message":"You have access","username":"user1","fresh":false}',
  })

  const refused = await send(url, 'POST /account/change-password', { token: access })
  expect(refused.status).toBe(401)
  expect(refused.text).toMatch(/^\{"message":"Fresh token required","error_type":"FreshTokenRequiredError",/)

  const verified = await send(url, 'POST /auth/verify-password', { token: access, json: CREDENTIALS })
  const { access: fresh } = tokensOf(verified)
  expect(verified).toMatchObject({
    status: 200,
    text: `{"access_token":"${fresh}","token_type":"bearer","fresh":true}`,
  })

  const changed = await send(url, 'POST /account/change-password', { token: fresh })
  expect(changed).toMatchObject({
    status: 200,
    text: '{"message":"Password changed","username":"user1"}',
  })
})

it('refuses another user’s name before it looks at the password', async () => {
  const { url } = await startExample('verify-password')
  const { access } = tokensOf(await send(url, 'POST /login', { json: CREDENTIALS }))
  const verifyAs = async (username: string, password: string): Promise<[number, unknown]> => {
    const answer = await send(url, 'POST /auth/verify-password', {
      token: access,
      json: { username, password },
    })
    return [answer.status, JSON.parse(answer.text).message]
  }
  expect(await verifyAs('user2', 'password2')).toEqual([403, 'Token mismatch'])
  expect(await verifyAs('user2', 'nope')).toEqual([403, 'Token mismatch'])
  expect(await verifyAs('user1', 'nope')).toEqual([401, 'Invalid password'])
})

describe('renewal by the access token itself', () => {
  /**
   * A renewal with a token whose password was given so long ago; the token itself has an hour to
   * go.
   */
  async function renewAfter(seconds: number): Promise<Answer> {
    const { url } = await startExample('verify-password')
    const token = await inThePast(seconds).createAccessToken('user1', {
      fresh: true,
      expiresIn: seconds + HOUR,
    })
    return send(url, 'POST /refresh', { token })
  }

  it('works until twelve hours after the last password', async () => {
    const answer = await renewAfter(12 * HOUR - 20)
    expect(answer.status).toBe(200)
  })

  it('ends there, and says what to do', async () => {
    const answer = await renewAfter(12 * HOUR + 2)
    expect(answer.status).toBe(401)
    expect(answer.text).toMatch(/^\{"message":"Fresh token required"/)
    expect(answer.headers.get('www-authenticate')).toMatch(/max_age="43200"/)
  })

  it('does not move the twelve hours: the time of the password is kept', async () => {
    const claims = claimsOf(tokensOf(await renewAfter(6 * HOUR)).access)
    expect(Number(claims['iat']) - Number(claims['auth_time'])).toBeGreaterThanOrEqual(6 * HOUR)
    expect(claims['fresh']).toBe(false)
  })

  it('starts anew with a password', async () => {
    const { url } = await startExample('verify-password')
    const token = await inThePast(13 * HOUR).createAccessToken('user1', { fresh: true, expiresIn: '14h' })
    const { access } = tokensOf(await send(url, 'POST /auth/verify-password', { token, json: CREDENTIALS }))
    expect((await send(url, 'POST /refresh', { token: access })).status).toBe(200)
  })
})
