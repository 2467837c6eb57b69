/** The public names with their signatures: what the build exports is what `api/` says. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROOT } from './source.ts'

const KEPT = join(ROOT, 'api')
const HELP = 'Is this change of the public interface meant? Run "npm run api" and tell CHANGELOG.md of it'

const made = mkdtempSync(join(tmpdir(), 'tokenwright-api-'))
const reportsIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.endsWith('.api.md'))

describe('the public interface', () => {
  beforeAll(() => {
    execFileSync(process.execPath, ['scripts/api-reports.mjs', '--to', made], { cwd: ROOT })
  }, 120_000)
  afterAll(() => rmSync(made, { recursive: true, force: true }))

  it('has a report for each entry point, and no other', () => {
    expect(reportsIn(KEPT).length).toBeGreaterThan(0)
    expect(reportsIn(made), HELP).toEqual(reportsIn(KEPT))
  })

  it.each(reportsIn(KEPT))('is what %s says', (name) => {
    expect(readFileSync(join(made, name), 'utf8'), HELP).toBe(readFileSync(join(KEPT, name), 'utf8'))
  })
})
