/** Guards of `tokenwright/fetch` in modules that a build evaluates, without a secret. */
import { describe, expect, it } from 'vitest'
import { guards, lazyAuth } from '../../src/adapters/fetch.ts'
import { ConfigurationError, createAuth } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'

describe('guards of `lazyAuth`', () => {
  it('are made without a secret, and say at the first request that it is missing', async () => {
    let made = 0
    const guard = guards(
      lazyAuth(() => {
        made++
        return createAuth({ secret: process.env['TOKENWRIGHT_NOT_SET'] ?? '', locations: ['cookie'] })
      }),
    )
    const get = guard.fresh()(() => new Response('ok'))
    const page = guard.refreshing(() => new Response('ok'))
    expect(made).toBe(0)
    const request = new Request('http://localhost/')
    for (const call of [() => get(request), () => page(request), () => guard.peek(request)])
      await expect(call()).rejects.toThrow(ConfigurationError)
  })

  it('serve with one `createAuth` for all of them', async () => {
    let made = 0
    let now = 1_700_000_000
    const clock = () => now
    const auth = lazyAuth(() => {
      made++
      return createAuth({
        secret: SECRET,
        clock,
        locations: ['cookie'],
        sessions: { store: memoryStore({ clock }) },
      })
    })
    const guard = guards(auth)
    const handler = guard.scopes('a')((_request, { sub }, extra: string) => new Response(sub + extra))
    const page = guard.refreshing(async (request, extra: string) => {
      return new Response(`${(await guard.peek(request, { scopes: ['a'] }))?.sub}${extra}`)
    })
    const pair = await auth().createTokenPair('alice', { scopes: ['a'] })
    const cookie = auth()
      .cookies(pair)
      .map((line) => line.split(';', 1)[0])
      .join('; ')
    const request = () => new Request('http://localhost/', { headers: { cookie } })
    expect(await (await handler(request(), '!')).text()).toBe('alice!')
    now += 2000
    const refreshed = await page(request(), '?')
    expect([await refreshed.text(), refreshed.headers.getSetCookie().length]).toEqual(['alice?', 3])
    expect(made).toBe(1)
  })

  it('are refused at once where `auth` is at hand and cannot do it', () => {
    expect(() => guards(createAuth({ secret: SECRET })).refreshing(() => new Response())).toThrow(
      ConfigurationError,
    )
    expect(() => guards({} as never)).toThrow(ConfigurationError)
  })
})
