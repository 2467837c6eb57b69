/** Values of users are told by what they are, not by their class: that of another realm, or of a library, is another one. */
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import { createAuth, createKeyRing } from '../../src/index.ts'
import { emit } from '../../src/internal/listeners.ts'
import { setUp } from '../token/forge.ts'

const foreign = <T>(code: string): T => runInNewContext(code, { Buffer }) as T

/** What database libraries return. */
function toThenable(then: unknown): object {
  return Object.defineProperty({}, 'then', { value: then })
}

describe('what a listener returns', () => {
  it('is started where it waits to be, as the queries of database libraries do', async () => {
    const run = vi.fn()
    const query = toThenable((resolve: (rows: number) => void) => resolve(run()))
    emit<{ issued: object }, 'issued'>({ issued: () => query }, 'issued', {})
    await vi.waitFor(() => expect(run).toHaveBeenCalledOnce())
  })

  it.each([
    ['a promise of another realm', () => foreign('(async () => { throw new Error("x") })()')],
    ['a thenable', () => toThenable((_: unknown, reject: (error: Error) => void) => reject(new Error('x')))],
    ['a thenable that throws', () => toThenable(() => expect.fail())],
    [
      'a getter that throws',
      () => {
        const get = (): never => expect.fail()
        return Object.defineProperty({}, 'then', { get })
      },
    ],
  ])('may be %s: nothing is left unhandled', async (_, listener) => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    emit<{ issued: object }, 'issued'>({ issued: listener }, 'issued', {})
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})

describe('values of another realm', () => {
  it('are taken: bytes, moments, and what a schema or a loader returns', async () => {
    const secret = foreign<Uint8Array>('new Uint8Array(40).map((_, i) => i * 7)')
    expect(secret).not.toBeInstanceOf(Uint8Array)
    const validate = (value: unknown): never =>
      foreign<(v: unknown) => never>('async (value) => ({ value })')(value)
    const auth = createAuth({
      secret,
      claims: { '~standard': { version: 1, vendor: 'x', validate } },
      subject: foreign<() => object>('async () => ({ name: "x" })'),
    })
    const expiresAt = foreign<Date>(`new Date(${Date.now() + 60_000})`)
    const payload = await auth.verifyToken(await auth.createAccessToken('user-1', { expiresAt }))
    expect(payload.exp).toBe(Math.floor(expiresAt.getTime() / 1000))
    expect(await auth.loadSubject(payload)).toMatchObject({ name: 'x' })
    expect(() =>
      createKeyRing({ verifying: [{ alg: 'HS256', key: secret, kid: 'a', notAfter: expiresAt }] }),
    ).not.toThrow()
  })

  it('are taken: data, and the last argument of hasScopes', async () => {
    const { auth } = setUp()
    const data = foreign<Record<string, unknown>>('({ a: [1, { b: "c" }], d: null })')
    const token = await auth.createAccessToken('user-1', { data, scopes: ['a'] })
    const payload = await auth.verifyToken(token)
    expect(payload.data).toEqual({ a: [1, { b: 'c' }], d: null })
    expect(payload.hasScopes('a', 'b', foreign<{ all: boolean }>('({ all: false })'))).toBe(true)
    const at = foreign<Record<string, unknown>>('({ at: new Date(0) })')
    await expect(auth.createAccessToken('user-1', { data: at })).rejects.toThrow('`data.at`')
  })

  it('are taken: what a blocklist returns', async () => {
    const { auth } = setUp({ isRevoked: foreign<() => boolean>('async () => false') })
    await auth.verifyToken(await auth.createAccessToken('user-1'))
  })
})
