import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createSecret, readOrCreateSecret } from '../../server/secret.ts'
import { ConfigurationError } from '../../src/index.ts'
import { runAtOnce, temporaryFolder } from './process.ts'

describe('readOrCreateSecret', () => {
  it('creates a secret once, for its owner only, and returns it from then on', () => {
    const path = join(temporaryFolder(), 'x.secret')
    const secret = readOrCreateSecret(path)
    expect(secret).toMatch(/^[\w-]{43}$/)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'utf8')).toBe(`${secret}\n`)
    expect(readOrCreateSecret(path)).toBe(secret)
  })

  it('leaves no temporary file behind', () => {
    const folder = temporaryFolder()
    readOrCreateSecret(join(folder, 'x.secret'))
    expect(readdirSync(folder)).toEqual(['x.secret'])
  })

  it('never generates the same secret twice', () => {
    expect(createSecret()).not.toBe(createSecret())
    const [one, other] = ['one', 'other'].map((name) => readOrCreateSecret(join(temporaryFolder(), name)))
    expect(one).not.toBe(other)
  })

  it('returns the same secret to processes that start at once', async () => {
    const folder = temporaryFolder()
    const script = `const { readOrCreateSecret } = await import(process.argv[1]); console.log(readOrCreateSecret('x.secret'))`
    for (let round = 0; round < 5; round++) {
      const cwd = join(folder, String(round))
      mkdirSync(cwd)
      const outputs = await runAtOnce(8, script, 'secret', cwd)
      expect(new Set(outputs).size).toBe(1)
      expect(outputs[0]).toMatch(/^[\w-]{43}\n$/)
      expect(readdirSync(cwd)).toEqual(['x.secret'])
    }
  }, 30_000)

  it('refuses a file that other users can read', () => {
    const path = join(temporaryFolder(), 'x.secret')
    const secret = readOrCreateSecret(path)
    for (const mode of [0o644, 0o640, 0o602]) {
      chmodSync(path, mode)
      expect(() => readOrCreateSecret(path)).toThrow(`is open to other users; run: chmod 600 ${path}`)
    }
    chmodSync(path, 0o400)
    expect(readOrCreateSecret(path)).toBe(secret)
  })

  it('refuses a file that is too short, without showing its content', () => {
    const path = join(temporaryFolder(), 'x.secret')
    for (const text of ['', '\n', 'hunter2'.repeat(4)]) {
      writeFileSync(path, text, { mode: 0o600 })
      expect(() => readOrCreateSecret(path)).toThrow(/holds less than 32 bytes/)
      expect(() => readOrCreateSecret(path)).not.toThrow(/hunter2/)
    }
  })

  it('says in one line why a file cannot be created', () => {
    const folder = temporaryFolder()
    expect(() => readOrCreateSecret(join(folder, 'none', 'x.secret'))).toThrow(ConfigurationError)
    expect(() => readOrCreateSecret(join(folder, 'none', 'x.secret'))).toThrow(/its folder does not exist$/)
    expect(() => readOrCreateSecret(folder)).toThrow(/it is a folder$|open to other users/)
  })
})
