/** Whose word the address of a client is: that of proxies that are trusted, and of nobody else. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { readTrust, toClientAddress } from '../../server/trusted-proxies.ts'
import { ConfigurationError } from '../../src/index.ts'
import { startServer } from './process.ts'

const CLIENT = '203.0.113.7'

describe('toClientAddress', () => {
  it.each([
    ['takes the connection without a setting', '', '127.0.0.1', CLIENT, '127.0.0.1'],
    ['takes what one proxy says', '1', '127.0.0.1', CLIENT, CLIENT],
    ['takes no more hops than there are proxies', '1', '127.0.0.1', `6.6.6.6, ${CLIENT}`, CLIENT],
    ['goes through two proxies', '2', '10.0.0.1', `6.6.6.6, ${CLIENT}, 10.0.0.2`, CLIENT],
    ['takes what there is, where hops are missing', '3', '10.0.0.1', CLIENT, CLIENT],
    ['takes the connection without the header', '2', '10.0.0.1', undefined, '10.0.0.1'],
    [
      'believes only the addresses of proxies',
      '10.0.0.0/8',
      '10.0.0.1',
      `6.6.6.6, ${CLIENT}, 10.9.9.9`,
      CLIENT,
    ],
    ['does not believe a stranger', '10.0.0.0/8', CLIENT, '6.6.6.6', CLIENT],
    ['believes a single address', '10.0.0.1,::1', '::1', CLIENT, CLIENT],
    ['knows IPv4 in the form of IPv6', '127.0.0.0/8', '::ffff:127.0.0.1', `::ffff:${CLIENT}`, CLIENT],
    ['takes away a port', '1', '127.0.0.1', `${CLIENT}:4711`, CLIENT],
    ['takes away brackets', '1', '127.0.0.1', '[2001:db8::7]:4711', '2001:db8::7'],
    ['stops at what is no address', '2', '10.0.0.1', '6.6.6.6, unknown', '10.0.0.1'],
    ['stops at an empty place', '2', '10.0.0.1', '6.6.6.6,', '10.0.0.1'],
  ] as const)('%s', (_, ...[setting, connection, header, address]) => {
    expect(toClientAddress(connection, header, readTrust(setting))).toBe(address)
  })

  it.each([
    'true',
    '0',
    '17',
    '10.0.0.0/33',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/8/8',
    '10.0.0.0/x',
    'proxy',
    '1,2',
    ',',
  ])('refuses the setting %j', (text) => {
    expect(() => readTrust(text)).toThrow(ConfigurationError)
    expect(() => readTrust(text)).toThrow(/^TOKENWRIGHT_TRUST_PROXY must be/)
  })
})

/** Tries passwords until the server limits them; resolves to the last status. */
async function guess(url: string, from: (i: number) => string): Promise<number> {
  let status = 0
  for (let i = 0; i < 30 && status !== 429; i++) {
    const body = new URLSearchParams({ username: `user-${i}`, password: 'wrong' })
    const headers = { 'x-forwarded-for': from(i) }
    status = (await fetch(`${url}/auth/login`, { method: 'POST', headers, body })).status
  }
  return status
}

describe('behind a proxy', () => {
  it('each client has its own limit, and one cannot take another address', async () => {
    const server = await startServer({ TOKENWRIGHT_TRUST_PROXY: '1' })
    onTestFinished(() => void server.stop())
    expect(await guess(server.url, (i) => `198.51.100.${i}, ${CLIENT}`)).toBe(429)
    expect(await guess(server.url, (i) => `198.51.100.${i}`)).toBe(401)
    expect(server.stderr()).not.toContain('TOKENWRIGHT_PROXY_ADDRESS')
  }, 30_000)

  it('whose word is not taken, all share one limit, and that is warned of', async () => {
    const server = await startServer({ TOKENWRIGHT_TRUST_PROXY: '192.0.2.0/24' })
    expect(await guess(server.url, (i) => `198.51.100.${i}`)).toBe(429)
    const plain = await startServer()
    await guess(plain.url, () => CLIENT)
    expect(plain.stderr()).toContain('TOKENWRIGHT_PROXY_ADDRESS')
  }, 30_000)

  it('the list of sessions has the address of the client', async () => {
    const server = await startServer({ TOKENWRIGHT_TRUST_PROXY: '127.0.0.0/8' })
    const headers = { 'x-forwarded-for': `6.6.6.6, ${CLIENT}` }
    const body = new URLSearchParams({ username: 'test', password: 'test' })
    const login = await fetch(`${server.url}/auth/login`, { method: 'POST', headers, body })
    const { access_token } = (await login.json()) as { access_token: string }
    const list = await fetch(`${server.url}/auth/sessions`, {
      headers: { authorization: `Bearer ${access_token}` },
    })
    expect(JSON.stringify(await list.json())).toContain(`"ip":"${CLIENT}"`)
  }, 30_000)
})
