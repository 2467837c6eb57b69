/**
 * Pages 001 and 002 of decision 0002: the four steps of their pages, on the program with a
 * framework and on the one without. Two slips of the pages are not followed: their third curl line
 * lacks `-X POST` (their programs answer it with 405, ours with 404), and the fourth says
 * `$FRESH_TOKEN` where the comment above it says "the non fresh token".
 */
import { describe, expect, it } from 'vitest'
import { claimsOf, send, startExample, tokensOf } from './program.ts'

const CREDENTIALS = { username: 'test', password: 'test' }

describe.each(['explicit-refresh', 'explicit-refresh-fetch'])('%s', (name) => {
  it('responds to the steps of the page, with 401 where that shows an internal server error', async () => {
    const { url } = await startExample(name)

    const login = await send(url, 'POST /login', { json: CREDENTIALS })
    const { access, refresh } = tokensOf(login)
    expect(login.status).toBe(200)
    expect(login.text).toBe(`{"access_token":"${access}","refresh_token":"${refresh}"}`)

    const sensitive = { status: 200, text: '"You have access to this sensitive operation"' }
    expect(await send(url, 'GET /sensitive_operation', { token: access })).toMatchObject(sensitive)

    const refreshed = await send(url, 'POST /refresh', { token: refresh })
    const { access: nonFresh } = tokensOf(refreshed)
    expect(refreshed).toMatchObject({ status: 200, text: `{"access_token":"${nonFresh}"}` })
    expect(claimsOf(nonFresh)).toMatchObject({ sub: 'test', type: 'access', fresh: false })

    const refused = await send(url, 'GET /sensitive_operation', { token: nonFresh })
    expect(refused.status).toBe(401)
    expect(refused.text).toMatch(
      /^\{"message":"Fresh token required","error_type":"FreshTokenRequiredError",/,
    )
    expect(refused.headers.get('www-authenticate')).toMatch(/error="insufficient_user_authentication"/)

    const resource = { status: 200, text: '"You have access to this protected resource"' }
    expect(await send(url, 'GET /protected', { token: nonFresh })).toMatchObject(resource)
    expect(await send(url, 'GET /protected', { token: access })).toMatchObject(resource)
  })

  it('responds to the two slips of the page as its program does', async () => {
    const { url } = await startExample(name)
    const { access, refresh } = tokensOf(await send(url, 'POST /login', { json: CREDENTIALS }))
    expect((await send(url, 'GET /refresh', { token: refresh })).status).toBe(404)
    expect((await send(url, 'GET /sensitive_operation', { token: access })).status).toBe(200)
  })

  it('lives by the defaults: 15 minutes and 20 days', async () => {
    const { url } = await startExample(name)
    const tokens = tokensOf(await send(url, 'POST /login', { json: CREDENTIALS }))
    const [access, refresh] = [claimsOf(tokens.access), claimsOf(tokens.refresh)]
    expect(Number(access['exp']) - Number(access['iat'])).toBe(900)
    expect(Number(refresh['exp']) - Number(refresh['iat'])).toBe(20 * 86_400)
  })
})
