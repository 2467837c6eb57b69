/**
 * Step-up: told from expiry by the code, asked once for any number of calls, and then the calls go on as if nothing had happened;
 * or all of them are told that the user would not.
 */
import { describe, expect, it } from 'vitest'
import type { AuthClient, AuthClientOptions, StepUpRequest } from '../../src/client.ts'
import { openDevice, openSignedIn } from './device.ts'
import { startOrigin } from './origin.ts'

const WAYS = [
  { way: 'cookies', options: {}, client: {} },
  { way: 'refresh by cookie, access in memory', options: { cookies: { carry: ['refresh'] } }, client: {} },
  { way: 'bodies', options: {}, client: { delivery: 'body' } },
] as const

describe.each(WAYS)('a step-up, tokens in $way', ({ options, client: settings }) => {
  /** A client whose token is not fresh any more. */
  async function start(onStepUp?: (request: StepUpRequest, auth: AuthClient) => unknown) {
    const origin = await startOrigin(options)
    const device = openDevice(origin)
    const asked: StepUpRequest[] = []
    const given: AuthClientOptions = {
      ...settings,
      ...(onStepUp && {
        onStepUp: (request) => {
          asked.push(request)
          return onStepUp(request, auth)
        },
      }),
    }
    const auth = await openSignedIn(device, given)
    await auth.refresh()
    origin.seen.length = 0
    return { origin, device, auth, asked }
  }

  const sensitive = (auth: AuthClient, count: number) =>
    Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const response = await auth.fetch('/sensitive', { method: 'POST', body: `order ${index}` })
        return [response.status, ((await response.json()) as { body?: string }).body]
      }),
    )

  it('is asked for once for five calls, which then go on', async () => {
    const { auth, origin, asked } = await start((_, client) => client.stepUp('right'))
    expect(await sensitive(auth, 5)).toEqual([0, 1, 2, 3, 4].map((index) => [200, `order ${index}`]))
    expect(asked).toHaveLength(1)
    expect(asked[0]).toMatchObject({ maxAge: 100, acrValues: [] })
    expect(asked[0]!.signal.aborted).toBe(true)
    expect(origin.count('/auth/refresh')).toBe(0)
    expect(origin.count('/auth/verify-password')).toBe(1)
    expect(auth.state.fresh).toBe(true)
    // The next one finds the fresh token.
    expect(await sensitive(auth, 1)).toEqual([[200, 'order 0']])
    expect(asked).toHaveLength(1)
  })

  it('may be tried until the password is right', async () => {
    const refusals: unknown[] = []
    const { auth } = await start(async (_, client) => {
      for (const password of ['wrong', 'also wrong', 'right']) {
        await client.stepUp(password).catch((error) => refusals.push(error.code))
      }
    })
    expect(await sensitive(auth, 2)).toEqual([0, 1].map((index) => [200, `order ${index}`]))
    expect(refusals).toEqual(['credentials_invalid', 'credentials_invalid'])
  })

  it.each([
    ['says no', async () => false],
    ['rejects', () => Promise.reject(new Error('closed'))],
    [
      'throws',
      () => {
        throw new Error('broken')
      },
    ],
  ])(
    'that is cancelled rejects all calls, and the next call asks again: the dialog %s',
    async (_, answer) => {
      const { auth, origin, asked, device } = await start(answer)
      const calls = await Promise.allSettled(Array.from({ length: 5 }, () => auth.fetch('/sensitive')))
      for (const call of calls) {
        const reason = { code: 'step_up_cancelled', challenge: { maxAge: 100 } }
        expect(call).toMatchObject({ status: 'rejected', reason })
      }
      expect(origin.count('/sensitive')).toBe(5)
      await expect(auth.fetch('/sensitive')).rejects.toMatchObject({ code: 'step_up_cancelled' })
      expect(asked).toHaveLength(2)
      expect((await auth.fetch('/protected')).status).toBe(200)
      expect(device.signedOut).toEqual([])
    },
  )

  it('does not go round in circles when it does not help', async () => {
    const { auth, asked } = await start((_, client) => client.stepUp('right'))
    const response = await auth.fetch('/narrow')
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ code: 'fresh_token_required' })
    expect(asked).toHaveLength(1)
    expect(asked[0]).toMatchObject({ acrValues: ['gold'] })
  })

  it('without a handler leaves the refusal to the caller', async () => {
    const { auth, origin } = await start()
    expect(await sensitive(auth, 1)).toEqual([[401, undefined]])
    expect(origin.seen).toEqual(['POST /sensitive'])
  })

  it('can be handled by a dialog that appears later', async () => {
    const { auth } = await start()
    const leave = auth.handleStepUp(() => auth.stepUp('right'))
    expect(await sensitive(auth, 2)).toEqual([0, 1].map((index) => [200, `order ${index}`]))
    leave()
    await auth.refresh()
    expect(await sensitive(auth, 1)).toEqual([[401, undefined]])
  })

  it('first refreshes a token that ended while the dialog was open', async () => {
    const { auth, device } = await start(async (_, client) => {
      await device.pass(150)
      await client.stepUp('right')
    })
    expect(await sensitive(auth, 1)).toEqual([[200, 'order 0']])
  })

  it('refreshes a token that ended though the clock here says that it is good', async () => {
    const { auth, device } = await start(async (_, client) => {
      device.drift(-3600)
      await device.pass(150)
      await client.stepUp('right')
    })
    expect(await sensitive(auth, 1)).toEqual([[200, 'order 0']])
  })

  it('of a user who is not signed in is refused', async () => {
    const { auth } = await start()
    await auth.logout()
    await expect(auth.stepUp('right')).rejects.toMatchObject({ status: 401 })
  })

  it('ends when the user is signed out meanwhile, and the dialog is told', async () => {
    const { auth, asked } = await start(() => new Promise(() => undefined))
    const call = auth.fetch('/sensitive')
    await expect.poll(() => asked.length).toBe(1)
    await Promise.all([auth.logout(), expect(call).rejects.toMatchObject({ code: 'signed_out' })])
    expect(asked[0]!.signal.aborted).toBe(true)
  })

  it('by another user’s login does not carry out what the first one wanted', async () => {
    const { auth, origin } = await start(async (_, client) => {
      await client.login({ username: 'eve', password: 'right' })
    })
    await expect(auth.fetch('/sensitive')).rejects.toMatchObject({ code: 'signed_out' })
    expect(origin.count('/sensitive')).toBe(1)
  })
})
