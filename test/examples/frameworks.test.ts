/** One example for each framework: the same routes, the same answers. */
import { describe, expect, it } from 'vitest'
import { send, startExample, tokensOf } from './program.ts'

describe.each(['express', 'fastify', 'koa', 'hono', 'nest', 'fetch'])('%s', (name) => {
  it('takes a user from login to step-up and out again', async () => {
    const { url, stderr } = await startExample(name)
    const login = await send(url, 'POST /auth/login', { json: { username: 'test', password: 'test' } })
    expect(login.status).toBe(200)
    const first = tokensOf(login)
    expect(await send(url, 'GET /protected', { token: first.access })).toMatchObject({
      status: 200,
      text: '{"message":"You have access","sub":"test"}',
    })
    expect((await send(url, 'GET /posts/1', { token: first.access })).text).toBe('{"id":"1","reader":"test"}')
    expect((await send(url, 'GET /hello', { token: first.access })).text).toBe('{"message":"Hello test"}')
    expect((await send(url, 'GET /hello')).text).toBe('{"message":"Hello stranger"}')
    expect((await send(url, 'POST /change-password', { token: first.access })).text).toBe(
      '{"message":"Password changed"}',
    )

    const refreshed = tokensOf(await send(url, 'POST /auth/refresh', { token: first.refresh }))
    const stale = await send(url, 'POST /change-password', {
      token: refreshed.access,
      json: { new_password: 'x' },
    })
    expect(stale.status).toBe(401)
    expect(stale.headers.get('www-authenticate')).toMatch(
      /^Bearer .*insufficient_user_authentication.*max_age="900"/,
    )
    expect(JSON.parse(stale.text)).toEqual({
      message: 'Fresh token required',
      error_type: 'FreshTokenRequiredError',
      error: 'insufficient_user_authentication',
      code: 'fresh_token_required',
    })

    const wrong = await send(url, 'POST /auth/verify-password', {
      token: refreshed.access,
      json: { password: 'x' },
    })
    expect([wrong.status, JSON.parse(wrong.text).code]).toEqual([401, 'credentials_invalid'])
    const proved = await send(url, 'POST /auth/verify-password', {
      token: refreshed.access,
      json: { password: 'test' },
    })
    const { access } = tokensOf(proved)
    expect(
      (await send(url, 'POST /change-password', { token: access, json: { new_password: 'x' } })).status,
    ).toBe(200)

    const sessions = await send(url, 'GET /auth/sessions', { token: access })
    expect(JSON.parse(sessions.text).sessions).toMatchObject([
      { current: true, ip: expect.stringMatching(/127\.0\.0\.1$/) },
    ])
    expect((await send(url, 'POST /auth/logout', { token: access })).status).toBe(204)
    expect(JSON.parse((await send(url, 'GET /protected', { token: access })).text).code).toBe('token_revoked')
    expect(JSON.parse((await send(url, 'GET /protected')).text).code).toBe('token_missing')
    expect(stderr()).toBe('')
  })

  it('has a key set, refuses what is no route, and says so in the one form', async () => {
    const { url } = await startExample(name)
    expect(await send(url, 'GET /.well-known/jwks.json')).toMatchObject({ status: 200, text: '{"keys":[]}' })
    const nowhere = await send(url, 'POST /auth/nowhere')
    expect([nowhere.status, JSON.parse(nowhere.text).code]).toEqual([404, 'not_found'])
    const wrong = await send(url, 'GET /auth/login')
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST'])
  })
})
