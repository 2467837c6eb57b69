/**
 * S2, S3 and S16 on every store, with a clock that the test moves: what a client keeps, when the window closes, and when sessions end.
 */
import { expect, it } from 'vitest'
import { createRandom } from '../../packages/refresh-races/src/random.ts'
import { createKeyRing, type Duration, generateKey } from '../../src/index.ts'
import { type Application, attempt, createApplication, newUser } from './application.ts'
import { openBrowser } from './browser.ts'
import { describeGrounds, GROUNDS } from './grounds.ts'
import { report, size } from './size.ts'

const OVERLAP = 30

/** What happens next in a client's life: a request goes out, or its answer comes in. */
interface Moment {
  readonly at: number
  readonly work: () => Promise<void>
}

/** Carries out moments in their order, with the clock at each. */
async function live(moments: Moment[], at: () => number, move: (seconds: number) => void): Promise<void> {
  while (moments.length > 0) {
    moments.sort((a, b) => a.at - b.at)
    const next = moments.shift() as Moment
    move(next.at - at())
    await next.work()
  }
}

/** Sends a refresh: what became of it, and what to do when the answer arrives. */
type Client = () => Promise<{ readonly code: string; readonly take: () => void }>

/** A browser: the answer's cookies go into its jar. */
async function openCookieClient({ handle }: Application): Promise<Client> {
  const browser = openBrowser(handle)
  await browser.go('POST', '/auth/login', { username: newUser(), password: 'right' })
  return async () => {
    const response = await browser.send('POST', '/auth/refresh')
    return { code: response.ok ? 'ok' : await response.text(), take: () => browser.take(response) }
  }
}

/** A refresh by body. */
async function refreshByBody({ handle }: Application, token: string) {
  const headers = { Authorization: `Bearer ${token}` }
  const response = await handle(new Request('https://app.test/auth/refresh', { method: 'POST', headers }))
  const { code = 'ok', refresh_token } = (await response.json()) as { code?: string; refresh_token?: string }
  return { code, given: refresh_token }
}

/** A client that keeps its refresh token itself, and replaces it where it gets another one than it sent. */
async function openBodyClient(app: Application): Promise<Client> {
  let kept = (await app.login()).refresh_token
  return async () => {
    const sent = kept
    const { code, given = sent } = await refreshByBody(app, sent)
    const take = (): void => {
      if (given !== sent) kept = given
    }
    return { code, take }
  }
}

describeGrounds(GROUNDS, (ground, name) => {
  /**
   * A client refreshes from several tabs at once, again and again after pauses of any length. Each answer is on its way for up to a quarter
   * of an overlap, the one that comes last wins, and one that is lost is asked for again.
   */
  for (const way of ['cookies', 'body'] as const) {
    it(`S2: whichever responses a client keeps, its next refresh works, by ${way}`, async () => {
      const cycles = size(40, 400)
      const random = createRandom(11)
      const app = createApplication(ground().store, { sessions: { overlap: OVERLAP, absolute: '400d' } })
      const client = await (way === 'cookies' ? openCookieClient(app) : openBodyClient(app))
      const counts = { asked: 0, lost: 0 }
      for (let cycle = 0; cycle < cycles; cycle++) {
        const moments: Moment[] = []
        const ask = (at: number, canBeLost: boolean): void => {
          const trip = (random() * OVERLAP) / 4
          const isLost = canBeLost && random() < 0.2
          const work = async (): Promise<void> => {
            counts.asked += 1
            const { code, take } = await client()
            expect(code, `cycle ${cycle}`).toBe('ok')
            if (!isLost) moments.push({ at: at + trip, work: async () => take() })
            else counts.lost += 1
            if (isLost) ask(at + trip, false)
          }
          moments.push({ at, work })
        }
        const tabs = 1 + Math.floor(random() * 4)
        for (let tab = 0; tab < tabs; tab++) ask(app.now() + (random() * OVERLAP) / 4, true)
        await live(moments, app.now, app.move)
        app.move(random() * OVERLAP * (random() < 0.5 ? 2.5 : 8))
      }
      report('S2', name, `${cycles} cycles by ${way}, ${counts.asked} refreshes, ${counts.lost} answers lost`)
    })
  }

  for (const way of ['cookies', 'body'] as const) {
    it(`S2: a late response that repeats the token harms no client that has gone on, by ${way}`, async () => {
      const app = createApplication(ground().store)
      const client = await (way === 'cookies' ? openCookieClient(app) : openBodyClient(app))
      const first = await client()
      first.take()
      // One request just before the generation is old enough to advance, one just after; and the answers overtake each other.
      app.move(2 * OVERLAP - 0.01)
      const slow = await client()
      app.move(0.02)
      const quick = await client()
      expect([first.code, slow.code, quick.code]).toEqual(['ok', 'ok', 'ok'])
      quick.take()
      app.move(OVERLAP * 3)
      slow.take()
      app.move(600)
      expect((await client()).code).toBe('ok')
    })
  }

  it('S2: a response by body that keeps the token repeats it byte for byte, whatever signs', async () => {
    // ECDSA signs the same text differently each time.
    const keys = createKeyRing({ signing: generateKey('ES256') })
    const app = createApplication(ground().store, { keys })
    const { refresh_token } = await app.login()
    const { given = '' } = await refreshByBody(app, refresh_token)
    expect(given).not.toBe(refresh_token)
    for (let i = 0; i < 3; i++) expect(await refreshByBody(app, given)).toEqual({ code: 'ok', given })
  })

  it('S3, S24: only the generation before is forgiven, until its successor advances', async () => {
    const app = createApplication(ground().store)
    const words = async (token: string): Promise<string> => {
      const before = { ...app.events }
      const { code } = await app.refresh(token)
      const kind = Object.keys(app.events).find((event) => app.events[event] !== before[event])
      return `${code} ${kind}`
    }
    const generations = async (count: number): Promise<string[]> => {
      const tokens = [(await app.login()).refresh_token]
      for (let gen = 0; gen < count; gen++) {
        tokens.push((await app.refresh(tokens[gen] ?? '')).pair?.refresh_token ?? '')
        expect(app.genOf(tokens[gen + 1] ?? '')).toBe(gen + 1)
        if (gen + 1 < count) app.move(2 * OVERLAP)
      }
      return tokens
    }
    const forgiven = await generations(3)
    for (const seconds of [0, OVERLAP, 600]) {
      app.move(seconds)
      expect(await words(forgiven[2] ?? '')).toBe('ok replayed')
    }
    expect(app.genOf((await app.refresh(forgiven[3] ?? '')).pair?.refresh_token ?? '')).toBe(4)
    expect(await words(forgiven[3] ?? '')).toBe('ok replayed')
    expect(await words(forgiven[2] ?? '')).toBe('refresh_reused reused')
    expect(await words(forgiven[3] ?? '')).toBe('session_revoked undefined')

    const older = await generations(3)
    expect(await words(older[1] ?? '')).toBe('refresh_reused reused')

    const kept = await generations(1)
    app.move(2 * OVERLAP - 0.001)
    expect(app.genOf((await app.refresh(kept[1] ?? '')).pair?.refresh_token ?? '')).toBe(1)
    app.move(0.001)
    expect(app.genOf((await app.refresh(kept[1] ?? '')).pair?.refresh_token ?? '')).toBe(2)
  })

  it('S3: an overlap of 0 is strict single use', async () => {
    const app = createApplication(ground().store, { sessions: { overlap: 0 } })
    const { refresh_token } = await app.login()
    expect((await app.refresh(refresh_token)).code).toBe('ok')
    expect((await app.refresh(refresh_token)).code).toBe('refresh_reused')
  })

  for (const rotation of [true, false]) {
    it(`S16: unused sessions end, and used ones in the end too, rotation ${rotation}`, async () => {
      const sessions = { idle: 1000, absolute: 5000, rotation }
      const app = createApplication(ground().store, { sessions })
      const idle = await app.login()
      app.move(999.999)
      let token = (await app.refresh(idle.refresh_token)).pair?.refresh_token ?? ''
      app.move(1000)
      expect((await app.refresh(token)).code).toBe('session_expired')
      expect(await app.auth.sessions.list(app.auth.decodeUnverified(token).payload['sub'] as string)).toEqual(
        [],
      )

      const started = app.now()
      const used = await app.login()
      token = used.refresh_token
      let access = used.access_token
      for (let step = 1; step < 50; step++) {
        app.move(100)
        const { code, pair } = await app.refresh(token)
        expect(code, `after ${step * 100} s`).toBe('ok')
        token = pair?.refresh_token ?? ''
        access = pair?.access_token ?? ''
        expect(Number(app.auth.decodeUnverified(token).payload['exp'])).toBeLessThanOrEqual(started + 5000)
        expect(Number(app.auth.decodeUnverified(access).payload['exp'])).toBeLessThanOrEqual(started + 5000)
      }
      app.move(98)
      expect(await app.judge(access)).toBe('ok')
      expect((await app.refresh(token)).code).toBe('ok')
      app.move(2)
      // The token's own end may be forgiven by the leeway, the session's is not.
      expect((await app.refresh(token)).code).toBe('session_expired')
      expect(await app.judge(access)).toBe('token_revoked')
    })
  }

  // A generation that is kept moves no idle end: kept for too long, a session in use would end.
  it.each<[Duration, Duration, Duration]>([
    ['5m', '10m', '4m'],
    ['5m', '6m', '2m'],
    ['30s', '1m', '20s'],
  ])('S16: overlap %s, idle %s, access %s end no session in use', async (overlap, idle, expiresIn) => {
    const app = createApplication(ground().store, { access: { expiresIn }, sessions: { overlap, idle } })
    const random = createRandom(2)
    const started = app.now()
    let { access_token: access, refresh_token: token } = await app.login()
    for (let use = 0; use < size(60, 600); use++) {
      const exp = Number(app.auth.decodeUnverified(access).payload['exp'])
      // Now and then a page is loaded, which refreshes before the access token ends.
      app.move(Math.max(0.5, (exp - app.now()) * (random() < 0.3 ? random() : 1)))
      const { code, pair } = await app.refresh(token)
      expect(code, `${app.now() - started} s after the login`).toBe('ok')
      access = pair?.access_token ?? ''
      token = pair?.refresh_token ?? ''
    }
  })

  it('S16: a session can be refreshed and stepped up in its last second', async () => {
    const app = createApplication(ground().store, { sessions: { idle: 100, absolute: 100 } })
    // Tokens count in whole seconds: the session ends at 100.7, its tokens at 100, and it is 100.2.
    app.move(0.7)
    const { access_token, refresh_token } = await app.login()
    app.move(99.5)
    const access = await app.auth.verifyToken(access_token)
    const { code, pair } = await app.refresh(refresh_token)
    expect(code).toBe('ok')
    expect((await app.refresh(pair?.refresh_token ?? '')).code).toBe('ok')
    const up = await attempt(() => app.auth.sessions.stepUp(access, async () => ({ amr: ['otp'] })))
    expect(up.code).toBe('ok')
    app.move(0.5)
    expect((await app.refresh(pair?.refresh_token ?? '')).code).toBe('session_expired')
    expect((await app.refresh(up.pair?.refresh_token ?? '')).code).toBe('session_expired')
  })
})
