/**
 * S7 on the stores that are reached over a connection: it is cut at every message of a step, before the server has it, once it has it, and
 * once it has answered. The same call again works, and there is one lineage.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Connected, connect, type StoreSpec } from '../processes/node/connect.ts'
import { type Application, attempt, createApplication } from './application.ts'
import type { Ground } from './ground.ts'
import { findEntries, GROUNDS } from './grounds.ts'
import { type Cut, type Relay, startRelay } from './relay.ts'
import { report } from './size.ts'

/** A store behind the relay instead of where it is. */
function toRelayed(spec: StoreSpec, port: number): StoreSpec {
  return { ...spec, port, ports: [port] } as StoreSpec
}

/** More messages than any step sends. */
const MOST_MESSAGES = 24

const REACHED = GROUNDS.filter(({ name }) => name !== 'memory' && name !== 'sqlite')

for (const { name, open, isGroup, ...rest } of REACHED) {
  const reason = isGroup ? 'SEVERAL SERVERS BEHIND ONE CONNECTION, NOT TESTED' : rest.reason
  describe.skipIf(reason !== null)(reason === null ? name : `${name}: ${reason}`, () => {
    let ground: Ground
    let relay: Relay
    let relayed: Connected
    beforeAll(async () => {
      ground = await open()
      const { spec } = ground
      relay = await startRelay('port' in spec ? spec.port : 0)
      relayed = connect(toRelayed(spec, relay.port), undefined, 1)
    })
    afterAll(async () => {
      await relayed?.close()
      await relay?.close()
      await ground?.close()
    })

    /** Runs a step once for each place where the connection can be cut; answers how many there were. */
    async function sweep(
      step: (app: Application, cut: <T>(work: () => Promise<T>) => Promise<T>) => Promise<void>,
    ): Promise<Readonly<Record<Cut, number>>> {
      const counts = { before: 0, after: 0, answered: 0 }
      for (const when of ['before', 'after', 'answered'] as const) {
        for (let index = 0; index < MOST_MESSAGES; index++) {
          const app = createApplication(relayed.store)
          // The connection stands and knows the statements of all steps, so that the first message is the step's.
          const warm = await app.login()
          for (let tries = 0; (await app.refresh(warm.refresh_token)).code !== 'ok'; tries++)
            expect(tries).toBeLessThan(5)
          let wasCut = false
          await step(app, async (work) => {
            relay.cutAt(index, when)
            const result = await work()
            wasCut = relay.disarm()
            return result
          })
          if (!wasCut) break
          counts[when] += 1
        }
      }
      for (const count of Object.values(counts)) {
        expect(count).toBeGreaterThan(0)
        expect(count).toBeLessThan(MOST_MESSAGES)
      }
      return counts
    }

    const print = (step: string, counts: Readonly<Record<Cut, number>>): void =>
      report('S7', name, `${step}, cut at every message: ${JSON.stringify(counts)}`)

    it('a refresh', async () => {
      const counts = await sweep(async (app, cut) => {
        const direct = createApplication(ground.store)
        const { refresh_token } = await direct.login()
        const sid = direct.sidOf(refresh_token)
        const first = await cut(() => app.refresh(refresh_token))
        expect(['ok', 'store_unavailable']).toContain(first.code)
        const again = await app.refresh(refresh_token)
        expect(again.code).toBe('ok')
        const elsewhere = await direct.refresh(refresh_token)
        const successors = [first, again, elsewhere].flatMap(({ pair }) => pair?.refresh_token ?? [])
        expect(new Set(successors).size).toBe(1)
        expect((await ground.store.get(sid))?.gen).toBe(1)
        direct.move(61)
        expect((await direct.refresh(again.pair?.refresh_token ?? '')).code).toBe('ok')
      })
      print('refresh', counts)
    })

    it('the detection of a reuse: the session is revoked and in the log, or neither', async () => {
      const counts = await sweep(async (app, cut) => {
        const direct = createApplication(ground.store)
        const { refresh_token } = await direct.login()
        const { pair } = await direct.refresh(refresh_token)
        direct.move(61)
        await direct.refresh(pair?.refresh_token ?? '')
        app.move(direct.now() - app.now())
        const sid = direct.sidOf(refresh_token)
        const { code } = await cut(() => app.refresh(refresh_token))
        expect(['refresh_reused', 'session_revoked', 'store_unavailable']).toContain(code)
        // A statement whose connection was cut may still be carried out, also between these three readings. What one of them has
        // found, the next must find too.
        const before = await findEntries(ground, sid)
        const isRevoked = (await ground.store.get(sid))?.revokedAt !== null
        if (before.length > 0) expect(isRevoked).toBe(true)
        if (isRevoked) expect(await findEntries(ground, sid)).toEqual(['sid'])
        expect(['refresh_reused', 'session_revoked']).toContain((await direct.refresh(refresh_token)).code)
        expect(await findEntries(ground, sid)).toEqual(['sid'])
      })
      print('reuse', counts)
    })

    it('an ending: acknowledged only where it is stored', async () => {
      const counts = await sweep(async (app, cut) => {
        const { refresh_token } = await createApplication(ground.store).login()
        const sid = app.sidOf(refresh_token)
        const { code } = await cut(() =>
          attempt(async () => {
            await app.auth.sessions.end(sid)
            return undefined
          }),
        )
        const isRevoked = (await ground.store.get(sid))?.revokedAt !== null
        if (code === 'ok') expect(isRevoked).toBe(true)
        else expect(code).toBe('store_unavailable')
        await createApplication(ground.store).auth.sessions.end(sid)
        expect((await ground.store.get(sid))?.revokedAt).not.toBeNull()
        expect(await findEntries(ground, sid)).toEqual(['sid'])
      })
      print('end', counts)
    })

    it('a step-up: never by halves', async () => {
      const counts = await sweep(async (app, cut) => {
        const { access_token, refresh_token } = await app.login()
        const access = await app.auth.verifyToken(access_token)
        const prove = () => attempt(() => app.auth.sessions.stepUp(access, async () => ({ amr: ['otp'] })))
        const { code } = await cut(prove)
        expect(['ok', 'store_unavailable']).toContain(code)
        expect((await prove()).code).toBe('ok')
        expect((await ground.store.get(app.sidOf(refresh_token)))?.amr).toEqual(['otp'])
        expect((await app.refresh(refresh_token)).code).toBe('ok')
      })
      print('step-up', counts)
    })
  })
}
