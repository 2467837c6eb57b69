/** Page 000 of decision 0002: its five steps, with the answers that it shows. */
import { expect, it } from 'vitest'
import { claimsOf, inThePast, send, startExample, tokensOf } from './program.ts'

const CREDENTIALS = { username: 'test', password: 'test' }
const STALE = /^\{"message":"Fresh token required","error_type":"FreshTokenRequiredError",/
const CHALLENGE = /^Bearer .*error="insufficient_user_authentication".*max_age="900"/

it('responds to the five steps of the page', async () => {
  const { url } = await startExample('fresh-tokens')

  const login = await send(url, 'POST /login', { json: CREDENTIALS })
  const { access, refresh } = tokensOf(login)
  expect(login.status).toBe(200)
  expect(login.text).toBe(`{"access_token":"${access}","refresh_token":"${refresh}"}`)
  expect(claimsOf(access)).toMatchObject({ sub: 'test', type: 'access', fresh: true })

  const changed = await send(url, 'POST /change-password', { token: access })
  expect(changed).toMatchObject({ status: 200, text: '{"message":"Password changed"}' })

  const refreshed = await send(url, 'POST /refresh', { token: refresh })
  const { access: nonFresh } = tokensOf(refreshed)
  expect(refreshed).toMatchObject({ status: 200, text: `{"access_token":"${nonFresh}"}` })
  expect(claimsOf(nonFresh)).toMatchObject({ sub: 'test', type: 'access', fresh: false })

  const refused = await send(url, 'POST /change-password', { token: nonFresh })
  expect(refused.status).toBe(401)
  expect(refused.text).toMatch(STALE)
  expect(refused.headers.get('www-authenticate')).toMatch(CHALLENGE)

  const opened = await send(url, 'GET /protected', { token: nonFresh })
  expect(opened).toMatchObject({ status: 200, text: '{"message":"You have access"}' })
})

it('agrees with the table at the page’s end: a fresh token opens both', async () => {
  const { url } = await startExample('fresh-tokens')
  const { access } = tokensOf(await send(url, 'POST /login', { json: CREDENTIALS }))
  expect((await send(url, 'GET /protected', { token: access })).status).toBe(200)
  expect((await send(url, 'POST /change-password', { token: access })).status).toBe(200)
})

it('lets freshness end after 15 minutes, also of a token that lives longer', async () => {
  const { url } = await startExample('fresh-tokens')
  const issueAgo = (seconds: number): Promise<string> =>
    inThePast(seconds).createAccessToken('test', { fresh: true, expiresIn: '1h' })
  const justFresh = await send(url, 'POST /change-password', { token: await issueAgo(890) })
  const stale = await send(url, 'POST /change-password', { token: await issueAgo(902) })
  expect([justFresh.status, stale.status]).toEqual([200, 401])
  expect(stale.text).toMatch(STALE)
})
