import { describe, expect, it } from 'vitest'
import { readPath } from '../../src/http/request-target.ts'
import { authRoutes } from '../../src/routes.ts'
import { setUp } from '../token/forge.ts'

describe('the path of a URL', () => {
  it.each([
    ['http://a.example/auth/login?x=/../y', '/auth/login'],
    ['http://a.example', '/'],
    ['/auth/login#x', '/auth/login'],
    ['http://a.example/%C3%A4/ä', '/%C3%A4/%C3%A4'],
    ['http://a.example/auth/../login', null],
    ['http://a.example/auth/%2e/login', null],
    ['http://a.example/auth\\login', null],
    ['http://a.example/auth/lo\tgin', null],
    ['http://[::1/auth', null],
  ])('%s: %s', (url, path) => {
    expect(readPath(url)).toBe(path)
  })

  it('is no route of ours where a platform hands it on as it came', async () => {
    const { auth } = setUp()
    const handle = authRoutes(auth, { verifyCredentials: () => null })
    for (const path of ['/auth/./login', '/auth/x/%2e%2e/login', '/auth\\login']) {
      const request = new Request('http://a.example/', { method: 'POST' })
      Object.defineProperty(request, 'url', { value: `http://a.example${path}` })
      expect((await handle(request)).status).toBe(404)
    }
  })
})
