/** Whatever lists error codes by hand has all of them, and no other: the page of errors, the cases of attacks, the server's API. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { OLDER_NAMES } from '../attack/expectations.ts'
import { ACCESS, REFRESH } from '../server/operations.ts'
import { ERRORS, type ErrorCode, type ErrorRow, OTHER_ERRORS } from '../src/errors.ts'
import { createAuth } from '../src/index.ts'
import { memoryStore } from '../src/stores/memory.ts'
import { ROOT } from './architecture/source.ts'

const page = readFileSync(join(ROOT, 'docs/reference/errors.md'), 'utf8')
const CODES = Object.keys(ERRORS) as ErrorCode[]

/** The cells of each row of the first table, by each code of its first cell, and the place of the code there. */
function readRows(): Map<string, { readonly cells: readonly string[]; readonly place: number }> {
  const lines = page.split('\n').filter((line) => /^\| `\w+`/.test(line) && line.split('|').length === 7)
  return new Map(
    lines.flatMap((line) => {
      const cells = line.split('|').map((cell) => cell.trim())
      const codes = [...(cells[1] ?? '').matchAll(/`(\w+)`/g)].map(([, code = '']) => code)
      return codes.map((code, place) => [code, { cells, place }] as const)
    }),
  )
}

describe('docs/reference/errors.md', () => {
  const rows = readRows()

  it('has a row for every code of the library, and for no other', () => {
    expect([...rows.keys()].sort()).toEqual([...CODES].sort())
  })

  it.each(CODES)('says of `%s` what the table says', (code) => {
    const { type, status, oauth }: ErrorRow = ERRORS[code]
    const { cells = [], place = 0 } = rows.get(code) ?? {}
    const [, , statusCell, typeCell = '', oauthCell = ''] = cells
    expect(statusCell).toBe(String(status))
    expect(typeCell.split(', ')[place]).toBe(type)
    expect(oauthCell.split(', ')[0]).toBe(oauth ?? '')
  })

  it.each(Object.entries(OTHER_ERRORS))(
    'tells of `%s`, its status and its type',
    (code, { type, status }) => {
      const text = page.replaceAll('\n', ' ')
      const sentence = text.split('. ').find((each) => each.includes(`\`${code}\``)) ?? ''
      expect(sentence).toContain(type)
      expect(sentence).toContain(String(status))
    },
  )
})

describe('the cases of attacks', () => {
  /** Why a configuration is refused: no code of a response. */
  const CONFIGURATION = ['key_too_weak', 'key_invalid', 'keyset_invalid', 'reserved_claim']

  it('expect codes that exist', () => {
    const known = new Set([
      ...CODES,
      ...Object.keys(OTHER_ERRORS),
      ...Object.keys(OLDER_NAMES),
      ...CONFIGURATION,
    ])
    const folder = join(ROOT, 'attack/cases')
    const named = readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .flatMap((name) => readErrors(JSON.parse(readFileSync(join(folder, name), 'utf8'))))
    expect(named.length).toBeGreaterThan(50)
    expect(named.filter((name) => !known.has(name))).toEqual([])
  })

  /** The `error` of every `expect`, however deep. */
  function readErrors(value: unknown): string[] {
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([name, member]) => {
      const own = name === 'expect' ? [Object(member).error ?? []].flat() : []
      return [...own.map(String), ...readErrors(member)]
    })
  }
})

describe("the reference server's API", () => {
  /** The codes that the library describes for a guard. */
  function codesOf(type: 'access' | 'refresh'): string[] {
    const auth = createAuth({
      secret: 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu',
      sessions: { store: memoryStore() },
    })
    const { responses } = auth.openapi().route({ type })
    return Object.values(responses).flatMap(({ content }) =>
      Object.keys(content['application/json']?.examples ?? {}),
    )
  }

  it('says of a guarded route what the library says', () => {
    expect([...ACCESS].sort()).toEqual(codesOf('access').sort())
  })

  it('says of a refresh what the library says of the token', () => {
    const ofSession = ['session_expired', 'session_revoked', 'refresh_reused']
    expect([...REFRESH, ...ofSession].sort()).toEqual(codesOf('refresh').sort())
  })
})
