/**
 * A rolling deployment of four processes through a whole rotation, under load: no request is
 * refused, and no user is signed out. The processes load one key file; its times are seconds here.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, it } from 'vitest'
import { generateKey } from '../../src/index.ts'
import { readUnverified } from '../../src/token/jws.ts'
import { rotateKeySet, type StoredKeySet } from '../../src/token/key-rotation.ts'
import { describeGrounds, SHARED } from '../invariants/grounds.ts'
import { type Node, startNode } from './nodes.ts'

const USERS = 12
const PLAN = { announce: 4, retire: 5, force: false }
/** How old the keys may be in each process, in seconds: so they do not load at the same moments. */
const EVERY = [1, 1.7, 2.4, 3.1]

const now = (): number => Date.now() / 1000
/** A request that its process took with it when it ended. */
function ignoreEnd(error: Error): null {
  if (/has died|channel closed|EPIPE|ERR_IPC/i.test(`${error.message} ${(error as { code?: string }).code}`))
    return null
  throw error
}

const kidOf = (token: string): string => String(readUnverified(token)?.header['kid'])

describeGrounds(
  SHARED.filter(({ name }) => name === 'redis'),
  (ground) => {
    const folder = mkdtempSync(join(tmpdir(), 'keys-'))
    const path = join(folder, 'keys.json')
    const nodes: Node[] = []
    afterAll(async () => {
      await Promise.all(nodes.map((node) => node.kill()))
      rmSync(folder, { recursive: true })
    })

    function publish(set: StoredKeySet): StoredKeySet {
      writeFileSync(`${path}.new`, JSON.stringify(set), { mode: 0o600 })
      renameSync(`${path}.new`, path)
      return set
    }
    const start = (index: number): Promise<Node> =>
      startNode({ store: ground().spec, keys: { path, every: EVERY[index] ?? 1 } })

    it('a rotation in a rolling deployment signs no one out', async () => {
      const first = publish(rotateKeySet(null, generateKey('ES256', 'old'), now(), PLAN))
      nodes.push(...(await Promise.all(EVERY.map((_, index) => start(index)))))
      const seen = { requests: 0, refused: [] as string[], kids: new Set<string>() }
      let isOver = false

      /** A user who refreshes at one process after another, and uses the access token at the next. */
      async function live(user: number): Promise<string> {
        const at = (turn: number): Node => nodes[turn % nodes.length] as Node
        let { refresh = '' } = await at(user).ask('login', `user-${user}`)
        for (let turn = user; !isOver; turn++) {
          // A process that ends takes requests with it; the client repeats them elsewhere.
          const outcome = await at(turn).ask('refresh', refresh).catch(ignoreEnd)
          const code =
            outcome?.access &&
            (await at(turn + 1)
              .ask('judge', outcome.access, 'feed')
              .catch(ignoreEnd))
          if (outcome !== null) {
            seen.requests += 2
            if (outcome.code !== 'ok' || (code !== 'ok' && code !== null))
              seen.refused.push(`${outcome.code}, ${code}`)
            refresh = outcome.refresh ?? refresh
            seen.kids.add(kidOf(refresh))
          }
          await sleep(20)
        }
        return kidOf(refresh)
      }

      /** Replaces a process, as a deployment does: the new one is ready before the old one ends. */
      async function replace(index: number): Promise<void> {
        const fresh = await start(index)
        await fresh.ask('ready')
        const [old] = nodes.splice(index, 1, fresh)
        await old?.kill()
      }

      const users = Array.from({ length: USERS }, (_, user) => live(user))
      await sleep(500)
      const rotated = publish(rotateKeySet(first, generateKey('ES256', 'next'), now(), PLAN))
      const [{ signsFrom = 0 } = {}, { notAfter = 0 } = {}] = rotated.keys
      await replace(0)
      await replace(1)
      await sleep(Math.max(0, signsFrom - now()) * 1000)
      await replace(2)
      await replace(3)
      await sleep(Math.max(0, notAfter + 1 - now()) * 1000)
      isOver = true
      expect(await Promise.all(users), 'who still has a token of the old key').toEqual(
        Array(USERS).fill('next'),
      )
      expect(seen.refused).toEqual([])
      expect([...seen.kids]).toEqual(['old', 'next'])
      expect(seen.requests).toBeGreaterThan(USERS * 10)
    }, 60_000)
  },
)
