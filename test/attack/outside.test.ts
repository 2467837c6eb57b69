/** What cases put around the application: that servers respond as scripted and are counted, that names lead where a case says, and that nothing of it outlives the case. */
import dns from 'node:dns'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { type Json, readCases } from '../../attack/cases.ts'
import { NO_FILES, Outside, toFile } from '../../attack/outside.ts'
import { Peer } from '../../attack/peers.ts'
import { runCases } from '../../attack/runner.ts'

const folder = mkdtempSync(join(tmpdir(), 'attack-outside-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function run(steps: Json[], expectation: Json = {}) {
  const file = join(folder, 'one.json')
  writeFileSync(file, JSON.stringify([{ id: 'T-1', how: { steps }, expect: expectation }]))
  const [result] = await runCases(readCases(file))
  if (result === undefined) throw new Error('no result')
  return result
}

const SERVE = { serve: { idp: { '/jwks': { json: { keys: ['$issuer_jwk'] } } } } }
const TRUST = {
  configure: {
    options: {
      issuers: [{ issuer: '$idp.url', audience: 'api', sharesSubjects: true, jwks: '$idp.url/jwks' }],
    },
  },
}
const toMint = (key: string) => ({
  mint: { save: 't', header: { alg: 'ES256', kid: '$delete' }, claims: { iss: '$idp.url' }, key },
})
const ASK = { request: { path: '/protected', bearer: '$t' } }
const toAsked = (members: Record<string, Json>): Json => ({ asked: { server: 'idp', ...members } })

describe('a case with servers', () => {
  it('passes and fails by what they were asked', async () => {
    const steps: Json[] = [SERVE, TRUST, toMint('issuer_ec'), ASK]
    const right = toAsked({ path: '/jwks', times: 1 })
    expect(await run([...steps, right], { status: 200, assert: 'default' })).toMatchObject({
      outcome: 'passed',
      reasons: [],
    })
    for (const [wrong, reason] of [
      [toAsked({ path: '/jwks', times: 0 }), '1 requests to idp for /jwks, expected 0'],
      [toAsked({ path: '/jwks', most: 0 }), '1 requests to idp for /jwks, expected at most 0'],
      [toAsked({ path: '/keys', times: 1 }), '0 requests to idp for /keys, expected 1'],
      [toAsked({ times: 0 }), '1 connections to idp, expected 0'],
    ] as const)
      expect((await run([...steps, wrong], { status: 200 })).reasons).toEqual([reason])
    const forged = await run([SERVE, TRUST, toMint('attacker_ec'), ASK], { status: 200 })
    expect(forged.reasons).toEqual(['status 401 (signature_invalid), expected 200'])
  })

  it('fails where tokens with a made-up kid are accepted, and where none may be', async () => {
    const flood: Json = { flood: { n: 20, token: 'unknown_kid', iss: '$idp.url' } }
    const asked = toAsked({ path: '/jwks', times: 20 })
    const { reasons } = await run([SERVE, TRUST, toMint('issuer_ec'), flood, asked, ASK])
    expect(reasons).toEqual(['1 requests to idp for /jwks, expected 20'])
  })

  it('repeats a request for as long as its response is another, and no longer', async () => {
    const ask: Json = { request: { path: '/protected', bearer: '$t', expect: 200, within: 1 } }
    const began = performance.now()
    const steps: Json[] = [SERVE, TRUST, toMint('attacker_ec'), ask]
    expect((await run(steps)).reasons).toEqual([
      'GET /protected: status 401 (signature_invalid), expected 200',
    ])
    expect(performance.now() - began).toBeGreaterThan(1000)
  })

  it.each<[string, Json[], string]>([
    ['no server', [{ asked: { server: 'moon', times: 0 } }], "unknown server 'moon'"],
    ['no such reply', [{ serve: { idp: { '/': { teapot: true } } } }], "unknown member 'teapot' of a reply"],
    ['no such stall', [{ serve: { idp: { '/': { stall: 'toString' } } } }], 'unknown stall "toString"'],
    ['no paths', [{ serve: { idp: 5 } }], "the server 'idp' needs an object of paths"],
    ['no addresses', [{ dns: { 'a.example': { first: ['::1'] } } }], "the name 'a.example' needs a list"],
    [
      'no file',
      [{ key_file: { put: { instead: 'constructor' } } }],
      'unknown file {"instead":"constructor"}',
    ],
    ['no realm', [{ configure: { realms: { a: {}, b: { key: 'attacker_ec' } } } }], "the realm 'b' needs"],
    ['a number of a server', [SERVE, { raw_token: { value: '$idp.name', save: 't' } }], 'value $idp.name'],
  ])('is skipped, with the reason: %s', async (_what, steps, reason) => {
    const result = await run(steps, { status: 200 })
    expect(result.outcome).toBe('skipped')
    expect(result.reasons.join()).toContain(reason)
  })
})

describe('a server', () => {
  const open: Peer[] = []
  afterEach(async () => {
    for (const peer of open.splice(0)) await peer.close()
  })
  async function start(): Promise<Peer> {
    const peer = await Peer.start()
    open.push(peer)
    return peer
  }

  it('responds to what a request says, and 404 to everything else', async () => {
    const peer = await start()
    peer.script('/introspect', {
      replies: [{ when: 'token=a b&', json: { active: true } }, { json: { active: false } }],
    })
    const post = async (token: string) => {
      const body = `token=${encodeURIComponent(token)}&x=1`
      return (await fetch(`${peer.url}/introspect`, { method: 'POST', body })).json()
    }
    expect([await post('a b'), await post('a b%'), await post('%zz')]).toEqual([
      { active: true },
      { active: false },
      { active: false },
    ])
    expect((await fetch(`${peer.url}/other`)).status).toBe(404)
    peer.script('/introspect', null)
    expect((await fetch(`${peer.url}/introspect`)).status).toBe(404)
    expect(peer.requests).toEqual([...Array(3).fill('/introspect'), '/other', '/introspect'])
  })

  it('holds a request for a page until there is another one', async () => {
    const peer = await start()
    peer.script('/feed', { page: {} })
    const first = await fetch(`${peer.url}/feed?nonce=n`)
    expect(first.headers.get('revocations-nonce')).toBe('n')
    expect(await first.json()).toMatchObject({ entries: [], iss: 'https://us', more: false })
    const held = fetch(`${peer.url}/feed?nonce=m&wait=5`).then((response) => response.json())
    await expect.poll(() => peer.requests.length).toBe(2)
    peer.script('/feed', { page: { cursor: '2.x' } })
    expect(await held).toMatchObject({ cursor: '2.x' })
  })

  it.each([
    ['silent', /timeout|aborted/i],
    ['slow', /timeout|aborted/i],
    ['endless', /timeout|aborted/i],
    ['cut', /terminated/],
  ])('stalls: %s', async (stall, reason) => {
    const peer = await start()
    peer.script('/', { text: 'whole', stall })
    const read = async () => (await fetch(peer.url, { signal: AbortSignal.timeout(300) })).arrayBuffer()
    await expect(read()).rejects.toThrow(reason)
  })
})

describe('what outlives no case', () => {
  it('is a name: it resolves as said, once and then otherwise, and after that as usual', async () => {
    const outside = new Outside()
    const all = (host: string) => dns.promises.lookup(host, { all: true })
    const usual = await all('localhost')
    const inTime = (host: string) =>
      new Promise((resolve) => dns.lookup(host, (error, address) => resolve(error?.code ?? address)))
    outside.resolveAs('idp.invalid', { first: ['8.8.8.8', '::1'], later: ['127.0.0.1'] })
    expect(await all('idp.invalid')).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '::1', family: 6 },
    ])
    expect([await inTime('idp.invalid'), await inTime('idp.invalid')]).toEqual(['127.0.0.1', '127.0.0.1'])
    expect(await all('localhost')).toEqual(usual)
    await outside.close()
    await expect(all('idp.invalid')).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/)
    expect(await inTime('idp.invalid')).toMatch(/ENOTFOUND|EAI_AGAIN/)
  })

  it('is a file with keys, or what is in its place', async () => {
    const outside = new Outside()
    const path = outside.keyFile()
    for (const put of [...Object.values(NO_FILES), toFile('x')]) outside.putKeyFile(put)
    expect(existsSync(path)).toBe(true)
    await outside.close()
    expect(existsSync(path)).toBe(false)
  })
})
