/** `tokenwright sessions`, `revocations tail` and `prune` on stores that running processes use. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomId } from '../../src/internal/bytes.ts'
import { readUnverified } from '../../src/token/jws.ts'
import { describeGrounds, SHARED } from '../invariants/grounds.ts'
import { type Node, startNode } from '../processes/nodes.ts'
import { waitFor } from '../stores/redis-server.ts'
import { toDraft } from '../stores/sql-databases.ts'
import { run, start, toUrl } from './run.ts'

const toSid = (token: string): string => String(readUnverified(token)?.payload['sid'])

/** The monotonic clock of the machine, as the processes read it. */
const readClock = (): number => Number(process.hrtime.bigint()) / 1e9

describeGrounds(
  SHARED.filter(({ name }) => name === 'postgres' || name === 'redis'),
  (ground) => {
    let node: Node
    let url: string
    beforeAll(async () => {
      node = await startNode({ store: ground().spec })
      url = toUrl(ground().spec)
      await node.ask('ready')
    })
    afterAll(() => node.kill())

    async function login(sub: string): Promise<string> {
      const { access = '' } = await node.ask('login', sub)
      expect(await node.ask('judge', access, 'feed')).toBe('ok')
      return access
    }

    it('lists, ends one and ends all; a running process knows within a second', {
      timeout: 60_000,
    }, async () => {
      const [first, second, third] = [await login('ada'), await login('ada'), await login('ada')]
      const listed = await run(['sessions', 'list', 'ada', '--store', 'env:STORE', '--json'], {
        env: { STORE: url },
      })
      expect([listed.code, listed.stderr]).toEqual([0, ''])
      const rows: readonly Record<string, unknown>[] = JSON.parse(listed.stdout)
      expect(rows.map(({ sid }) => sid).sort()).toEqual([first, second, third].map(toSid).sort())
      expect(rows[0]).toMatchObject({ subject: 'ada', realm: null, startedAt: expect.stringMatching(/Z$/) })

      const seenAt = node.ask('watch', first)
      const ended = await run(['sessions', 'end', toSid(first), '--store', url])
      expect(ended).toEqual({ code: 0, stdout: 'Ended the session of ada', stderr: '' })
      expect((await seenAt) - readClock()).toBeLessThan(1)
      expect(await node.ask('judge', second, 'feed')).toBe('ok')
      const again = await run(['sessions', 'end', toSid(first), '--store', url, '--json'])
      expect(JSON.parse(again.stdout)).toMatchObject({ ended: false, subject: 'ada' })

      const bothSeen = Promise.all([second, third].map((token) => node.ask('watch', token)))
      const all = await run(['sessions', 'end-all', 'ada', '--json'], { env: { REDIS_URL: url } })
      const endedAt = readClock()
      expect([all.code, JSON.parse(all.stdout)]).toEqual([0, { subject: 'ada', realm: null, ended: 2 }])
      for (const time of await bothSeen) expect(time - endedAt).toBeLessThan(1)
      // A login whose password was checked before is dead, too.
      expect((await node.ask('login', 'ada', 60)).code).toBe('session_revoked')
      const none = await run(['sessions', 'list', 'ada', '--store', url])
      expect(none).toEqual({
        code: 0,
        stdout: 'No live session of ada (one of a realm needs --realm)',
        stderr: '',
      })
    })

    it('follows the log until a signal', async () => {
      const tail = start(['revocations', 'tail', '--store', url, '--json'])
      const access = await login('bob')
      await run(['sessions', 'end', toSid(access), '--store', url])
      await waitFor(async () => tail.printed().includes(toSid(access)), 20)
      tail.child.kill('SIGINT')
      const { code, stdout, stderr } = await tail.ended
      expect([code, stderr]).toEqual([130, 'Interrupted by SIGINT'])
      const { at, until, ...entry } = JSON.parse(stdout.split('\n').at(-1) ?? '')
      expect(entry).toEqual({ kind: 'session', key: toSid(access) })
      // Longer than any access token lives.
      expect(Date.parse(until) - Date.parse(at)).toBeGreaterThan(30 * 86_400_000)
      const once = await run(['revocations', 'tail', '--once', '--since', '0s', '--store', url])
      expect(once).toEqual({ code: 0, stdout: '', stderr: '' })
    })

    it('says which realm is meant, and nothing that a terminal would carry out', async () => {
      const { store } = ground()
      const sid = randomId()
      const userAgent = 'Mozilla\u001b]0;owned\u0007\u202e'
      await store.start(
        toDraft({ sid, sub: 'eve', realm: 'admin', userAgent, idle: 900, absolute: 900 }),
        null,
      )
      const { stdout } = await run(['sessions', 'list', 'eve', '--realm', 'admin', '--store', url])
      expect(stdout).toContain('Mozilla\\u{1b}]0;owned\\u{7}\\u{202e}')
      expect(stdout).toMatch(/^session +started +last used +ends unused +ends +address +device\n/)
      const other = await run(['sessions', 'end-all', 'eve', '--store', url, '--json'])
      expect(JSON.parse(other.stdout)).toMatchObject({ ended: 0 })
      const own = await run(['sessions', 'end-all', 'eve', '--realm', 'admin', '--store', url])
      expect(own.stdout).toBe('Ended 1 session of eve in the realm admin; tokens from before are refused')
    })

    it('deletes what has ended', async () => {
      const { store } = ground()
      const now = await store.now()
      for (let i = 0; i < 30; i++) await store.revokeToken(randomId(), now - 1, now - 900)
      const { code, stdout } = await run(['prune', '--store', url, '--json'])
      expect(code).toBe(0)
      expect(JSON.parse(stdout).deleted).toBeGreaterThanOrEqual(30)
    })
  },
)

describe('a call that cannot be carried out', () => {
  it.each([
    [['sessions', 'list'], /^Expected a subject/],
    [['sessions', 'end'], /^Expected a session/],
    [['sessions', 'list', 'ada'], /^Expected --store with the URL of a store, or one in REDIS_URL or/],
    [
      ['sessions', 'end-all', 'ada', '--store', 'postgres://a:hunter2@127.0.0.1:1/x'],
      /^--store: no server listens/,
    ],
    [
      ['sessions', 'end', 'x', '--store', 'sqlite:/nowhere'],
      /^Expected --store to name a file that is there/,
    ],
    [['sessions', 'lits', 'ada'], /^Expected a command, got `sessions lits`; did you mean `sessions list`\?/],
    [['sesions', 'list', 'ada'], /^Expected a command, got `sesions`; did you mean `sessions`\?/],
    [['prune', '--access-lifetime', '1h'], /^Unknown option `access-lifetime`/],
    [
      ['revocations', 'tail', '--since', '1y', '--store', 'redis://127.0.0.1:1'],
      /^Expected `--since` to be a/,
    ],
  ])('%j is refused in one line', async (args, words) => {
    const { code, stdout, stderr } = await run(args)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(words)
    expect(stderr).not.toMatch(/hunter2|\n/)
  })
})
