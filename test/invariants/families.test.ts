/** S4, S6, S8 and S9 on every store: what becomes of families of tokens that are copied, stepped up, set back or forged. */
import { createHmac } from 'node:crypto'
import { expect, it } from 'vitest'
import { createRandom } from '../../packages/refresh-races/src/random.ts'
import { createAuth } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createApplication, newUser, SECRET } from './application.ts'
import { openBrowser } from './browser.ts'
import { describeGrounds, findEntries, GROUNDS } from './grounds.ts'
import { report, size } from './size.ts'

/** Signs anything with any secret. */
function forge(header: object, payload: object, secret: string | null): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
  const text = `${encode(header)}.${encode(payload)}`
  return `${text}.${secret === null ? '' : createHmac('sha256', secret).update(text).digest('base64url')}`
}

describeGrounds(GROUNDS, (ground, name) => {
  it('S4: a reuse ends the whole family, with one event and one entry', async () => {
    const app = createApplication(ground().store)
    const { access_token, refresh_token } = await app.login()
    const successor = (await app.refresh(refresh_token)).pair
    app.move(61)
    const next = (await app.refresh(successor?.refresh_token ?? '')).pair
    const answers = await Promise.all(Array.from({ length: 20 }, () => app.refresh(refresh_token)))
    expect(answers.filter(({ code }) => code === 'refresh_reused')).toHaveLength(1)
    expect(answers.filter(({ code }) => code === 'session_revoked')).toHaveLength(19)
    expect(app.events['reused']).toBe(1)
    expect(await findEntries(ground(), app.sidOf(refresh_token))).toEqual(['sid'])
    expect((await app.refresh(next?.refresh_token ?? '')).code).toBe('session_revoked')
    for (const token of [access_token, next?.access_token ?? '']) {
      expect(await app.judge(token)).toBe('token_revoked')
      expect(await app.judge(token, 'feed')).toBe('token_revoked')
    }
  })

  it('S6: a token from before a step-up never gains what the step-up proved', async () => {
    const rounds = size(8, 150)
    const random = createRandom(5)
    let seen = 0
    for (let round = 0; round < rounds; round++) {
      const app = createApplication(ground().store)
      const { access_token, refresh_token } = await app.login()
      const proved = app.auth.decodeUnverified(access_token).payload['auth_time']
      const about = (token: string) => {
        const { auth_time, acr, amr } = app.auth.decodeUnverified(token).payload
        return { auth_time, acr, amr }
      }
      const old = { auth_time: proved, acr: undefined, amr: undefined }
      const before = [refresh_token]
      if (random() < 0.5) before.push((await app.refresh(refresh_token)).pair?.refresh_token ?? '')
      app.move(1 + random() * 29)
      const up = await app.auth.sessions.stepUp(await app.auth.verifyToken(access_token), async () => ({
        amr: ['otp'],
        acr: 'high',
      }))
      const high = { auth_time: Math.floor(app.now()), acr: 'high', amr: ['otp'] }
      expect(about(up.access_token)).toEqual(high)
      expect(about(up.refresh_token)).toEqual(high)
      let [low, lifted] = [before.at(-1) ?? '', up.refresh_token]
      for (let step = 0; step < 6; step++) {
        app.move(random() * 40)
        for (const which of random() < 0.5 ? ['low', 'lifted'] : ['lifted', 'low']) {
          const { code, pair } = await app.refresh(which === 'low' ? low : lifted)
          expect(code).toBe('ok')
          expect(about(pair?.access_token ?? '')).toEqual(which === 'low' ? old : high)
          expect(about(pair?.refresh_token ?? '')).toEqual(which === 'low' ? old : high)
          expect(app.auth.decodeUnverified(pair?.access_token ?? '').payload['fresh']).not.toBe(true)
          if (which === 'low') low = pair?.refresh_token ?? ''
          else lifted = pair?.refresh_token ?? ''
          seen += 1
        }
      }
    }
    report('S6', name, `${rounds} step-ups, ${seen} refreshes of older and newer tokens, none gained or lost`)
  })

  for (const generations of [1, 2, 3, 4]) {
    it(`S8: a row that is set back by ${generations} costs no session, and saves no thief`, async () => {
      const app = createApplication(ground().store)
      const tokens = [(await app.login()).refresh_token]
      for (let gen = 0; gen < 6; gen++) {
        tokens.push((await app.refresh(tokens[gen] ?? '')).pair?.refresh_token ?? '')
        app.move(61)
      }
      const sid = app.sidOf(tokens[0] ?? '')
      await ground().setBack(sid, generations)
      expect((await ground().store.get(sid))?.gen).toBe(6 - generations)
      const answers = await Promise.all(Array.from({ length: 10 }, () => app.refresh(tokens[6] ?? '')))
      expect(answers.map(({ code }) => code)).toEqual(Array(10).fill('ok'))
      expect(new Set(answers.map(({ pair }) => pair?.refresh_token)).size).toBe(1)
      expect(app.events['healed']).toBe(1)
      const next = answers[0]?.pair?.refresh_token ?? ''
      expect(app.genOf(next)).toBe(7)
      app.move(61)
      const gone = (await app.refresh(next)).pair?.refresh_token ?? ''
      expect(app.genOf(gone)).toBe(8)
      // A thief with any generation that the client has left behind, such as one that the row was set back to.
      expect((await app.refresh(tokens[6 - generations] ?? '')).code).toBe('refresh_reused')
      expect((await app.refresh(gone)).code).toBe('session_revoked')
    })
  }

  it('S9: a forged token never ends anything', async () => {
    const app = createApplication(ground().store)
    const sub = newUser()
    const { access_token, refresh_token } = await app.login(sub)
    const sid = app.sidOf(refresh_token)
    let real = (await app.refresh(refresh_token)).pair?.refresh_token ?? ''
    app.move(61)
    real = (await app.refresh(real)).pair?.refresh_token ?? ''
    app.move(61)
    const stranger = createAuth({
      secret: 'Vt6kM1pDz8XwQ3nRb7LcG5yHs2JfU9eAa4oKiT0vWq',
      clock: app.now,
      sessions: { store: memoryStore() },
    })
    const [header = '', claims = ''] = refresh_token.split('.')
    const parse = (part: string): object => JSON.parse(Buffer.from(part, 'base64url').toString())
    const old = { ...parse(claims), exp: Math.floor(app.now()) + 900 }
    const asAccess = { ...parse(header), typ: 'at+jwt' }
    const forgeries = [
      (await stranger.createTokenPair(sub)).refresh_token,
      forge(parse(header), old, 'another secret, as long as a secret has to be'),
      forge(parse(header), old, ''),
      forge({ ...parse(header), alg: 'none' }, old, null),
      forge(asAccess, { ...old, type: 'access' }, 'another secret, as long as a secret has to be'),
      `${refresh_token.slice(0, -4)}AAAA`,
      // Signed by us, but expired, for somebody else, or no refresh token.
      forge(parse(header), { ...old, iat: 1, exp: 900 }, SECRET),
      forge(parse(header), { ...old, aud: 'another application' }, SECRET),
      access_token,
    ]
    for (const forged of forgeries) {
      expect((await app.refresh(forged)).code, forged).not.toBe('ok')
      for (const [method, path] of [
        ['POST', '/auth/refresh'],
        ['POST', '/auth/verify-password'],
        ['DELETE', '/auth/sessions'],
        ['DELETE', `/auth/sessions/${sid}`],
      ] as const) {
        // The real access token may do what an access token may.
        if (forged === access_token && path !== '/auth/refresh') continue
        const headers = { Authorization: `Bearer ${forged}`, 'Content-Type': 'application/json' }
        const body = method === 'POST' ? '{"password":"right"}' : null
        const response = await app.handle(new Request(`https://app.test${path}`, { method, headers, body }))
        expect(response.status, path).toBeGreaterThanOrEqual(400)
      }
      expect((await ground().store.get(sid))?.revokedAt, forged).toBeNull()
      if (forged === access_token) continue
      // Nor does a logout with it, nor a login from a browser that has it.
      await app.handle(
        new Request('https://app.test/auth/logout', {
          method: 'POST',
          headers: { Authorization: `Bearer ${forged}` },
        }),
      )
      const browser = openBrowser(app.handle)
      await browser.go('POST', '/auth/login', { username: newUser(), password: 'right' })
      const jar = browser.jar as Map<string, string>
      for (const cookie of jar.keys()) if (!cookie.includes('csrf')) jar.set(cookie, forged)
      await browser.go('POST', '/auth/login', { username: newUser(), password: 'right' })
      expect((await ground().store.get(sid))?.revokedAt, forged).toBeNull()
    }
    expect(await findEntries(ground(), sid)).toEqual([])
    expect((await app.refresh(real)).code).toBe('ok')
    report('S9', name, `${forgeries.length} forgeries at 7 doors each, the family lives`)
  })
})
