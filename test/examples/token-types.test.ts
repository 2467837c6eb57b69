/** Page 004 of decision 0002: its routes and every one of its snippets. */
import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { claimsOf, commandOf, send, startExample, tokensOf } from './program.ts'

const CREDENTIALS = { username: 'test', password: 'test' }

describe('the routes', () => {
  it('take an access token at the profile and nothing else', async () => {
    const { url } = await startExample('token-types')
    const login = await send(url, 'POST /auth/login', { json: CREDENTIALS })
    const { access, refresh } = tokensOf(login)
    expect(login.text).toBe(`{"access_token":"${access}","refresh_token":"${refresh}"}`)
    expect(await send(url, 'GET /api/profile', { token: access })).toMatchObject({
      status: 200,
      text: '{"user_id":"user123","scopes":null}',
    })
    expect((await send(url, 'GET /api/profile', { token: refresh })).status).toBe(401)
  })

  it('show the scopes of a token that has some', async () => {
    const { url } = await startExample('token-types')
    const { access } = tokensOf(await send(url, 'POST /issue', { json: { scopes: ['users:read'] } }))
    const profile = await send(url, 'GET /api/profile', { token: access })
    expect(profile.text).toBe('{"user_id":"user123","scopes":["users:read"]}')
  })

  it('refresh without freshness', async () => {
    const { url } = await startExample('token-types')
    const { access, refresh } = tokensOf(await send(url, 'POST /auth/login', { json: CREDENTIALS }))
    const { access: refreshed } = tokensOf(await send(url, 'POST /auth/refresh', { token: refresh }))
    expect([claimsOf(access)['fresh'], claimsOf(refreshed)['fresh']]).toEqual([true, false])
  })

  it.each([
    ['POST /api/change-password', { new_password: 'n' }, '{"message":"Password updated"}'],
    ['POST /api/delete-account', undefined, '{"message":"Account deleted"}'],
    ['POST /api/sensitive-operation', undefined, '{"message":"Operation completed"}'],
  ])('ask for a fresh token: %s', async (what, json, text) => {
    const { url } = await startExample('token-types')
    const { access, refresh } = tokensOf(await send(url, 'POST /auth/login', { json: CREDENTIALS }))
    const { access: refreshed } = tokensOf(await send(url, 'POST /auth/refresh', { token: refresh }))
    expect(await send(url, what, { token: access, json })).toMatchObject({ status: 200, text })
    const refused = await send(url, what, { token: refreshed, json })
    expect(refused.status).toBe(401)
    expect(refused.text).toMatch(/^\{"message":"Fresh token required"/)
  })

  it('take no password from the address', async () => {
    const { url } = await startExample('token-types')
    const byQuery = await send(url, 'POST /auth/login?username=test&password=test')
    const wrong = await send(url, 'POST /auth/login', { json: { ...CREDENTIALS, password: 'no' } })
    expect([byQuery.status, wrong.status]).toEqual([400, 401])
    expect(JSON.parse(wrong.text).message).toBe('Invalid credentials')
  })
})

describe('the snippets', () => {
  /** What the program printed, by line. */
  async function printed(): Promise<string[]> {
    const { stdout } = await startExample('token-types')
    return stdout().split('\n')
  }

  it('print what the page says of each', async () => {
    const lines = await printed()
    const text = lines.join('\n')
    expect(text).toMatch(/^Lives 60 minutes$/m)
    expect(text).toMatch(/^Lives until \d{4}-\d\d-\d\dT[\d:]{8}\.000Z$/m)
    expect(text).toMatch(/^Type: refresh$/m)
    expect(text).toMatch(/^Fresh after the login: true; after a refresh: false$/m)
    for (const name of 'sub jti iat exp nbf iss aud type fresh csrf scopes'.split(' ')) {
      expect.soft(text).toMatch(new RegExp(`^ {2}${name}: `, 'm'))
    }
    expect(text).toMatch(/^Custom data: user@example\.com$/m)
    expect(text).toMatch(/^Token expires in (900|89\d\.\d+) seconds$/m)
    expect(text).toMatch(/^Token was issued \d(\.\d+)?(e-\d+)? seconds ago$/m)
    expect(text).toMatch(/^Token expires at \d{4}-\d\d-\d\dT[\d:]{8}\.000Z$/m)
    expect(lines).toContain('Can read users')
    expect(lines).not.toContain('Can read and write users')
    expect(lines).toContain('Has at least one admin scope')
  })

  it('are a program of their own, which ends', () => {
    const [node = '', file = ''] = commandOf('token-payload')
    const { status, stdout, stderr } = spawnSync(node, [file], { encoding: 'utf8', env: {} })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^Has at least one admin scope$/m)
  })
})
