/** An open socket: it ends with its token, each message can ask for more, and a newer token prolongs it. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { guards } from '../../../src/adapters/ws.ts'
import { TokenFollowers } from '../../../src/auth/watch.ts'
import { AuthError, type AuthOptions, type Store } from '../../../src/index.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { ROOT } from '../../architecture/source.ts'
import { STORES } from '../../contract/opened.ts'
import { codeOf, NOW, SECRET, setUp } from '../../token/forge.ts'
import { bearer, type Client, listen, open, rawHandshake, type Sockets, serve } from './sockets.ts'

const EXPIRED = { code: 4401, reason: 'token_expired' }
const REVOKED = { code: 4401, reason: 'token_revoked' }
const LOST = { code: 1013, reason: 'store_unavailable' }

/** Opens a socket with a new session. */
async function enter(sockets: Sockets, subject = 'user-1', fresh = false) {
  const { access_token: token } = await sockets.auth.createTokenPair(subject, { fresh, scopes: ['chat:*'] })
  const payload = await sockets.auth.verifyToken(token)
  return { ...(await open(sockets.url, bearer(token))), token, payload }
}

/** Whether a socket is still open after the server has looked at the clock. */
async function isOpen({ socket, ask }: Client): Promise<boolean> {
  await new Promise((resolve) => setTimeout(resolve, 600))
  return socket.readyState === 1 && (await ask('hello')) === 'echo hello'
}

describe('expiry', () => {
  it('closes the socket with 4401 when the token expires, and not before', async () => {
    const sockets = await serve()
    const client = await enter(sockets)
    sockets.clock.now = NOW + 899
    expect(await isOpen(client)).toBe(true)
    sockets.clock.now = NOW + 900
    expect(await client.closed).toEqual(EXPIRED)
    await expect.poll(() => sockets.guard.size).toBe(0)
  })

  it('closes each socket at its own time', async () => {
    const { url, auth, clock, guard } = await serve()
    const lives = [10, 500, 20, 300]
    const clients = await Promise.all(
      lives.map(async (expiresIn) => open(url, bearer(await auth.createAccessToken('u', { expiresIn })))),
    )
    expect(guard.size).toBe(4)
    clock.now += 20
    expect(await clients[0]?.closed).toEqual(EXPIRED)
    expect(await clients[2]?.closed).toEqual(EXPIRED)
    await expect.poll(() => guard.size).toBe(2)
    clock.now += 1000
    expect(await clients[1]?.closed).toEqual(EXPIRED)
    expect(await clients[3]?.closed).toEqual(EXPIRED)
    await expect.poll(() => guard.size).toBe(0)
  })

  it('has no leeway: a token that the leeway accepted opens a socket for a moment only', async () => {
    const { url, auth, clock } = await serve()
    const token = await auth.createAccessToken('u', { expiresIn: 10 })
    clock.now += 12
    const { closed } = await open(url, bearer(token))
    expect(await closed).toEqual(EXPIRED)
  })

  it('passes on no message that a client sends after the end', async () => {
    const { auth, clock } = setUp()
    const received: string[] = []
    const errors: unknown[] = []
    const guard = guards(auth)
    const server = createServer()
    const url = await listen(server)
    server.on(
      'upgrade',
      guard.access()(new WebSocketServer({ noServer: true }), (socket, connection) => {
        socket.on('message', (message) => received.push(String(message)))
        socket.on('close', async () => errors.push(await codeOf(() => connection.recheck())))
      }),
    )
    const token = await auth.createAccessToken('u', { expiresIn: 10 })
    const [host = '', port = ''] = url.split(':')
    const socket = connect(Number(port), host)
    socket.write(rawHandshake(url, `Authorization: Bearer ${token}`))
    await once(socket, 'data')
    const frame = (text: string): Buffer =>
      Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
    socket.write(frame('before'))
    await expect.poll(() => received).toEqual(['before'])
    clock.now += 10
    const [closeFrame] = await once(socket, 'data')
    expect(closeFrame.subarray(2, 4).readUInt16BE()).toBe(4401)
    socket.write(frame('after'))
    socket.end(Buffer.concat([frame('at last'), Buffer.from([0x88, 0x80, 0, 0, 0, 0])]))
    await expect.poll(() => errors).toEqual(['token_expired'])
    expect(received).toEqual(['before'])
  })
})

describe('revocation', () => {
  const endings: readonly (readonly [string, (sockets: Sockets, payload: never) => Promise<unknown>])[] = [
    ['its session', ({ auth }, { sid }: { sid: string }) => auth.sessions.end(sid)],
    ['its token', ({ auth }, payload) => auth.revoke(payload)],
    ['its subject', ({ auth }, { sub }: { sub: string }) => auth.revokeSubject(sub)],
    ['all sessions of its subject', ({ auth }, { sub }: { sub: string }) => auth.sessions.endAll(sub)],
  ]

  it.each(['feed', 'strict'] as const)(
    'of its token, session or subject closes the socket, and others stay open: %s',
    async (revocation) => {
      const check = async ([name, act]: (typeof endings)[number]): Promise<void> => {
        const store = memoryStore()
        const here = await serve({ sessions: { store }, revocation })
        const there = await serve({ sessions: { store }, revocation })
        const hit = await enter(here)
        const hitElsewhere = await open(there.url, bearer(hit.token))
        const other = await enter(there, 'user-2')
        await act(here, hit.payload as never)
        expect(await hit.closed, name).toEqual(REVOKED)
        expect(await hitElsewhere.closed, name).toEqual(REVOKED)
        expect(await isOpen(other), name).toBe(true)
        await expect.poll(() => [here.guard.size, there.guard.size]).toEqual([0, 1])
      }
      await Promise.all(endings.map(check))
    },
  )

  it('of a token without a session reaches it by its subject', async () => {
    const store = memoryStore()
    const sockets = await serve({ sessions: { store } })
    const early = await open(sockets.url, bearer(await sockets.auth.createAccessToken('user-1')))
    const session = await enter(sockets, 'user-3')
    await sockets.auth.revokeSubject('user-1')
    expect(await early.closed).toEqual(REVOKED)
    sockets.clock.now += 10
    const late = await open(sockets.url, bearer(await sockets.auth.createAccessToken('user-1')))
    expect(await isOpen(late)).toBe(true)
    expect(await isOpen(session)).toBe(true)
  })

  it('by the reuse of an old refresh token closes the sockets of the session', async () => {
    const sockets = await serve({ sessions: { store: memoryStore() } })
    const pair = await sockets.auth.createTokenPair('user-1')
    const refresh = async (token: string) =>
      sockets.auth.sessions.refresh(
        await sockets.auth.verifyToken(token, { type: 'refresh', revocation: 'off' }),
      )
    const { closed } = await open(sockets.url, bearer(pair.access_token))
    const second = await refresh(pair.refresh_token)
    sockets.clock.now += 100
    await refresh(second.refresh_token)
    expect(await codeOf(() => refresh(pair.refresh_token))).toBe('refresh_reused')
    expect(await closed).toEqual(REVOKED)
  })

  it('is not watched if it is turned off', async () => {
    const sockets = await serve({ sessions: { store: memoryStore() }, revocation: 'off' })
    const client = await enter(sockets)
    await sockets.auth.sessions.end(client.payload.sid ?? '')
    expect(await isOpen(client)).toBe(true)
  })

  it('that only a blocklist knows is checked every 30 seconds', async () => {
    const blocked = new Set<string>()
    const sockets = await serve({ isRevoked: ({ sub }) => blocked.has(sub) })
    const client = await enter(sockets)
    blocked.add('user-1')
    sockets.clock.now += 29
    expect(await isOpen(client)).toBe(true)
    sockets.clock.now += 1
    expect(await client.closed).toEqual(REVOKED)
  })

  it('of a token that outlives the log is checked too', async () => {
    const store = memoryStore()
    let asked = 0
    const count: Store['isRevoked'] = (query) => {
      asked++
      return store.isRevoked(query)
    }
    const counting: Store = { ...store, isRevoked: count }
    const sockets = await serve({ sessions: { store: counting } })
    const token = await sockets.auth.createAccessToken('user-1', { expiresIn: '30d' })
    const { closed } = await open(sockets.url, bearer(token))
    await expect.poll(() => asked).toBe(2)
    sockets.clock.now += 30
    await expect.poll(() => asked).toBe(3)
    await sockets.auth.revokeSubject('user-1')
    expect(await closed).toEqual(REVOKED)
  })
})

describe.each(STORES)('a revocation in another process: $name', ({ open: openStore, reason }) => {
  it.skipIf(reason !== null)(`closes the socket ${reason ?? ''}`, async () => {
    const { store, close } = await openStore()
    const clock = (): number => Date.now() / 1000
    const here = await serve({ sessions: { store }, clock })
    const there = await serve({ sessions: { store }, clock })
    const clients = await Promise.all(['user-1', 'user-2', 'user-3', 'user-4'].map((sub) => enter(here, sub)))
    const [bySession, bySubject, , spared] = clients.map(({ payload }) => payload)
    await there.auth.sessions.end(bySession?.sid ?? '')
    await there.auth.revokeSubject(bySubject?.sub ?? '')
    // Each instance takes only payloads that it has verified itself.
    await there.auth.revoke(await there.auth.verifyToken(clients[2]?.token ?? ''))
    for (const { closed } of clients.slice(0, 3)) expect(await closed).toEqual(REVOKED)
    expect(await clients[3]?.ask('hello')).toBe('echo hello')
    expect(spared?.sub).toBe('user-4')
    await expect.poll(() => here.guard.size).toBe(1)
    await Promise.all([here.auth.close(), there.auth.close()])
    await close?.()
  })
})

describe('an unreachable store', () => {
  async function cut(options: AuthOptions['revocation']) {
    const store = memoryStore()
    let isDown = false
    const failing = new Proxy(store, {
      get: (target, name: keyof Store) =>
        isDown && typeof target[name] === 'function' ? () => Promise.reject(new Error('down')) : target[name],
    })
    const sockets = await serve({ sessions: { store: failing }, ...(options && { revocation: options }) })
    const client = await enter(sockets)
    await sockets.auth.ready()
    expect(await client.ask('hello')).toBe('echo hello')
    isDown = true
    return { ...sockets, client }
  }

  it.each(['feed', 'strict'] as const)('for too long closes the socket with 1013: %s', async (mode) => {
    const { client, guard } = await cut({ mode, maxStale: '1s' })
    expect(await client.closed).toEqual(LOST)
    await expect.poll(() => guard.size).toBe(0)
  })

  it('for a moment closes none', async () => {
    const { client } = await cut('feed')
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(await isOpen(client)).toBe(true)
  })

  it('closes none if the application wants to continue', async () => {
    const { client } = await cut({ maxStale: '1s', whenStale: 'allow' })
    await new Promise((resolve) => setTimeout(resolve, 2000))
    expect(await isOpen(client)).toBe(true)
  })

  it('closes none for a blocklist that fails briefly, and all if it does not recover', async () => {
    let isDown = false
    const isRevoked = async (): Promise<boolean> => {
      if (isDown) throw new Error('down')
      return false
    }
    const sockets = await serve({ isRevoked })
    const client = await enter(sockets)
    expect(await client.ask('hello')).toBe('echo hello')
    isDown = true
    sockets.clock.now += 31
    expect(await isOpen(client)).toBe(true)
    sockets.clock.now += 31
    expect(await client.closed).toEqual(LOST)
  })
})

describe('a message', () => {
  it('satisfies the requirement of any route, or gets the response of any route', async () => {
    const sockets = await serve({ sessions: { store: memoryStore() } })
    const { ask } = await enter(sockets, 'user-1', true)
    expect(await ask({ meet: { fresh: true } })).toBe('met by user-1')
    expect(await ask({ meet: { scopes: ['chat:write'] } })).toBe('met by user-1')
    expect(JSON.parse(await ask({ meet: { scopes: ['admin'] } }))).toMatchObject({ code: 'scope_missing' })
    expect(JSON.parse(await ask({ meet: { realm: 'staff' } }))).toMatchObject({ code: 'realm_mismatch' })
    expect(JSON.parse(await ask({ meet: { type: 'refresh' } }))).toMatchObject({
      code: 'refresh_token_required',
    })
    sockets.clock.now += 600
    expect(await ask({ meet: { fresh: true } })).toBe('met by user-1')
    expect(JSON.parse(await ask({ meet: { fresh: '5m' } }))).toEqual({
      message: 'Fresh token required',
      error_type: 'FreshTokenRequiredError',
      error: 'insufficient_user_authentication',
      code: 'fresh_token_required',
    })
  })

  it('that requires freshness asks the store', async () => {
    const store = memoryStore()
    const sockets = await serve({ sessions: { store }, revocation: { mode: 'feed', whenStale: 'allow' } })
    const { ask, payload } = await enter(sockets, 'user-1', true)
    // Behind the back of this process: its feed has not heard of it yet.
    await store.end(payload.sid ?? '', 'ended', { logTtl: 900, now: sockets.clock.now })
    expect(JSON.parse(await ask({ meet: { fresh: true } }))).toMatchObject({ code: 'token_revoked' })
  })

  it('is checked only by payloads of this auth', async () => {
    const { auth } = setUp()
    const lookalike = { ...(await auth.verifyToken(await auth.createAccessToken('u'))) } as never
    await expect(auth.recheck(lookalike)).rejects.toThrow(
      /Expected `payload` to be a payload that `verifyToken`/,
    )
    expect(() => auth.follow(lookalike, () => undefined)).toThrow(TypeError)
    await expect(auth.createTicket(lookalike)).rejects.toThrow(TypeError)
    const payload = await auth.verifyToken(await auth.createAccessToken('u'))
    expect(() => auth.follow(payload, 'close' as never)).toThrow(/Expected `onEnd` to be a function/)
  })
})

describe('a newer token', () => {
  it('extends the life of the socket and counts from now on', async () => {
    const sockets = await serve({ sessions: { store: memoryStore() } })
    const { auth, clock, connections } = sockets
    const client = await enter(sockets)
    clock.now += 800
    const pair = await auth.sessions.stepUp(client.payload, async () => ({ amr: ['pwd'] }))
    expect(JSON.parse(await client.ask({ meet: { fresh: true } }))).toMatchObject({
      code: 'fresh_token_required',
    })
    expect(await client.ask({ renew: pair.access_token })).toBe('renewed for user-1')
    expect(connections[0]?.payload).toMatchObject({ fresh: true, auth_time: NOW + 800 })
    expect(await client.ask({ meet: { fresh: true } })).toBe('met by user-1')
    clock.now = NOW + 1000
    expect(await isOpen(client)).toBe(true)
    clock.now = NOW + 1700
    expect(await client.closed).toEqual(EXPIRED)
    await expect.poll(() => sockets.guard.size).toBe(0)
  })

  it('must be of the same user, valid, and enough for the handshake', async () => {
    const sockets = await serve({}, (guard) => guard.scopes('chat:read'))
    const client = await enter(sockets)
    const renew = async (token: string): Promise<unknown> =>
      JSON.parse(await client.ask({ renew: token })).code
    const scopes = ['chat:read']
    expect(await renew(await sockets.auth.createAccessToken('user-2', { scopes }))).toBe('subject_mismatch')
    expect(await renew(await sockets.auth.createAccessToken('user-1'))).toBe('scope_missing')
    expect(await renew(await sockets.auth.createRefreshToken('user-1', { scopes }))).toBe(
      'access_token_required',
    )
    expect(await renew('nonsense')).toBe('token_malformed')
    expect(await client.ask('hello')).toBe('echo hello')
    sockets.clock.now += 900
    expect(await client.closed).toEqual(EXPIRED)
  })

  it('comes too late for a closed socket, and leaves nothing behind', async () => {
    const sockets = await serve()
    const client = await enter(sockets)
    const next = await sockets.auth.createAccessToken('user-1', { expiresIn: 10_000 })
    sockets.clock.now += 900
    await client.closed
    const connection = sockets.connections[0]
    expect(await codeOf(() => connection?.renew(next))).toBe('token_expired')
    expect(await codeOf(() => connection?.recheck())).toBe('token_expired')
    await expect.poll(() => sockets.guard.size).toBe(0)
  })
})

it('nothing is watched for a socket that has closed already', async () => {
  const sockets = await serve()
  const client = await enter(sockets)
  client.socket.close()
  await client.closed
  const connection = sockets.guard.follow(client.socket, client.payload)
  await expect.poll(() => sockets.guard.size).toBe(0)
  expect(await connection.recheck()).toMatchObject({ sub: 'user-1' })
})

describe('following', () => {
  it('reports once, never synchronously, and not after it was stopped', async () => {
    const { auth, clock } = setUp({ sessions: { store: memoryStore() } })
    const payload = await auth.verifyToken((await auth.createTokenPair('user-1')).access_token)
    const heard: string[] = []
    const listen = (name: string) => auth.follow(payload, ({ code }) => heard.push(`${name} ${code}`))
    listen('a')
    const stop = listen('b')
    await auth.sessions.end(payload.sid ?? '')
    expect(heard).toEqual(['a token_revoked', 'b token_revoked'])
    stop()
    const late = listen('c')
    expect(heard).toHaveLength(2)
    late()
    listen('d')
    await expect.poll(() => heard.slice(2)).toEqual(['d token_revoked'])
    clock.now += 10_000
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(heard).toHaveLength(3)
  })

  it('keeps neither followers nor timers of closed sockets', async () => {
    vi.useFakeTimers()
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const { auth, clock } = setUp()
    const payload = await auth.verifyToken(await auth.createAccessToken('u'))
    const following = new TokenFollowers({
      clock,
      checkRevocation: async () => undefined,
      listen: () => undefined,
      mustPoll: () => false,
      maxOutage: 60,
    })
    const heard: string[] = []
    const stop = following.follow(payload, ({ code }) => heard.push(code))
    following.follow(payload, ({ code }) => heard.push(code))
    expect([following.size, vi.getTimerCount()]).toEqual([2, 1])
    stop()
    stop()
    expect([following.size, vi.getTimerCount()]).toEqual([1, 1])
    clock.now += 900
    vi.advanceTimersByTime(250)
    expect([following.size, vi.getTimerCount(), heard]).toEqual([0, 0, ['token_expired']])
    const again = following.follow(payload, ({ code }) => heard.push(code))
    expect(vi.getTimerCount()).toBe(1)
    again()
    expect([following.size, vi.getTimerCount()]).toEqual([0, 0])
  })

  it('lets no follower suffer from the error of another', async () => {
    const { auth, clock } = setUp()
    const payload = await auth.verifyToken(await auth.createAccessToken('u'))
    const heard: string[] = []
    auth.follow(payload, () => {
      throw new Error('a defect')
    })
    auth.follow(payload, ({ code }) => heard.push(code))
    clock.now += 900
    await expect.poll(() => heard).toEqual(['token_expired'])
  })

  it('ends with the application: its sockets are closed, to connect again elsewhere', async () => {
    const sockets = await serve({ sessions: { store: memoryStore() } })
    const { closed } = await enter(sockets)
    await sockets.auth.close()
    expect(await closed).toEqual(LOST)
    await expect.poll(() => sockets.guard.size).toBe(0)
  })

  it('keeps no process alive', () => {
    const program = `
      import { createAuth } from 'tokenwright'
      import { memoryStore } from 'tokenwright/stores/memory'
      const auth = createAuth({ secret: '${SECRET}', sessions: { store: memoryStore() } })
      const { access_token } = await auth.createTokenPair('user-1')
      auth.follow(await auth.verifyToken(access_token), () => undefined)
      console.log('done')`
    const options = { cwd: ROOT, input: program, encoding: 'utf8', timeout: 15_000 } as const
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-'], options)
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'done\n' })
  })
})

describe('a handler', () => {
  it.each([
    [
      'throws',
      (): void => {
        throw new AuthError('scope_missing')
      },
      4403,
      'scope_missing',
    ],
    [
      'rejects',
      async (): Promise<void> => {
        throw new AuthError('token_revoked')
      },
      4401,
      'token_revoked',
    ],
    [
      'meets no store',
      async (): Promise<void> => {
        throw new AuthError('store_unavailable')
      },
      1013,
      'store_unavailable',
    ],
  ] as const)('that %s an AuthError closes its socket', async (_name, handler, code, reason) => {
    const { auth } = setUp()
    const server = createServer()
    const url = await listen(server)
    const guard = guards(auth)
    server.on('upgrade', guard.access()(new WebSocketServer({ noServer: true }), handler))
    const { closed } = await open(url, bearer(await auth.createAccessToken('u')))
    expect(await closed).toEqual({ code, reason })
    await expect.poll(() => guard.size).toBe(0)
  })

  it('need not listen for invalid frames: they close the socket and do not break the server', async () => {
    const { url, auth, guard } = await serve()
    const token = await auth.createAccessToken('u')
    const [host = '', port = ''] = url.split(':')
    const socket = connect(Number(port), host)
    socket.write(`${rawHandshake(url, `Authorization: Bearer ${token}`)}\u0001\u0002\u0003`)
    await once(socket.resume(), 'close')
    await expect.poll(() => guard.size).toBe(0)
    expect((await open(url, bearer(token))).socket.readyState).toBe(1)
  })
})
