/** `npm run vectors` against a server of its own: what it takes, what it refuses, what it leaves behind. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HAVE_WYCHEPROOF, loadWycheproofText } from './load.ts'

const SCRIPT = new URL('../../scripts/fetch-vectors.mjs', import.meta.url).pathname
const FILES = ['json_web_crypto_test.json', 'json_web_key_test.json', 'json_web_signature_test.json']

let folder: string
let server: Server
let respond: (name: string, response: ServerResponse) => void
let asked: string[]
let url: string

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vectors-'))
  asked = []
  server = createServer(({ url: path = '' }, response) => {
    asked.push(path)
    respond(path.slice('/v1/'.length), response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
})

afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
  rmSync(folder, { recursive: true })
})

async function run(): Promise<{ code: number; said: string }> {
  const env = { ...process.env, TOKENWRIGHT_VECTORS_URL: url }
  const child = spawn(process.execPath, [SCRIPT, '--folder', folder], { env })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (said += String(bytes)))
  const [code] = await once(child, 'close')
  return { code, said }
}

describe('npm run vectors', () => {
  it('refuses a file with another digest, and leaves nothing behind', async () => {
    respond = (_name, response) => response.end('{"numberOfTests":0}')
    const { code, said } = await run()
    const digest = createHash('sha256').update('{"numberOfTests":0}').digest('hex')
    expect(code).toBe(1)
    expect(said).toMatch(/json_web_key_test\.json: FAILED\. Expected the SHA-256 digest be98/)
    expect(said).toContain(`got ${digest}`)
    expect(said).toContain('the Wycheproof tests are skipped')
    expect(readdirSync(folder)).toEqual([])
  })

  it('says what a server returns that has no such file', async () => {
    respond = (_name, response) => response.writeHead(404).end()
    const { code, said } = await run()
    expect([code, said]).toEqual([1, expect.stringMatching(/json_web_key_test\.json returns 404/)])
    expect(readdirSync(folder)).toEqual([])
  })

  it('refuses a response that is cut short or never ends', async () => {
    respond = (name, response) => {
      if (name === FILES[0]) return void response.write('x'.repeat(1000), () => response.destroy())
      const write = (): void => void (response.write('x'.repeat(100_000)) ? setImmediate(write) : 0)
      response.on('drain', write)
      write()
    }
    const { code, said } = await run()
    expect(code).toBe(1)
    expect(said).toMatch(/json_web_crypto_test\.json: FAILED\. \w/)
    expect(said).toMatch(/json_web_key_test\.json: FAILED\. Expected at most 4194304 bytes/)
    expect(readdirSync(folder)).toEqual([])
  })

  it('fails where no server listens', async () => {
    url = 'http://127.0.0.1:1/v1'
    const { code, said } = await run()
    expect([code, said]).toEqual([
      1,
      expect.stringContaining('json_web_key_test.json: FAILED. fetch failed: '),
    ])
  })

  it.skipIf(!HAVE_WYCHEPROOF)('takes the right files, and asks for none that it has', async () => {
    respond = (name, response) => response.end(loadWycheproofText(name))
    writeFileSync(join(folder, FILES[1] ?? ''), 'half a file')
    expect(await run()).toMatchObject({ code: 0 })
    expect(readdirSync(folder)).toEqual(FILES)
    for (const name of FILES) expect(readFileSync(join(folder, name), 'utf8')).toBe(loadWycheproofText(name))
    expect(asked.length).toBe(3)
    expect(await run()).toMatchObject({ code: 0, said: expect.stringContaining('already here') })
    expect(asked.length).toBe(3)
  })
})
