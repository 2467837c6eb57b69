/** The same client against every framework's example: login, the token on a route, refresh, step-up, sessions, logout. */
import { expect, it } from 'vitest'
import { createAuthClient, createSessionList } from '../../src/client.ts'
import { startExample } from '../examples/program.ts'

it.each(['express', 'fastify', 'hono', 'koa', 'nest', 'fetch'])('%s', async (name) => {
  const { url } = await startExample(name)
  const signedOut: string[] = []
  let asked = 0
  const auth = createAuthClient({
    baseUrl: url,
    onStepUp: () => {
      asked++
      return auth.stepUp('test')
    },
    onSignedOut: (reason) => signedOut.push(reason),
  })
  expect((await auth.fetch('/protected')).status).toBe(401)
  await auth.login({ username: 'test', password: 'test' })
  expect(await (await auth.fetch('/protected')).json()).toMatchObject({ sub: 'test' })
  await auth.refresh()
  const change = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }
  const answers = await Promise.all([1, 2, 3].map(() => auth.fetch('/change-password', change)))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  expect(asked).toBe(1)
  expect(await createSessionList(auth).list()).toHaveLength(1)
  await auth.logout()
  await expect.poll(() => signedOut).toEqual(['logout'])
  expect((await auth.fetch('/protected')).status).toBe(401)
})
