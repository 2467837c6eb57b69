/**
 * The folding of account names against a real server: whatever two characters a usual collation treats as one, they are
 * one account for the limits.
 */
import { createPool, type Pool, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { foldName } from '../../src/routes/throttle/account-key.ts'
import { HAS, MYSQL } from '../stores/sql-databases.ts'

const DATABASE = `tw_fold_${process.pid}`
const COLLATIONS = [
  'utf8mb4_general_ci',
  'utf8mb4_unicode_ci',
  'utf8mb4_unicode_520_ci',
  'utf8mb4_uca1400_ai_ci',
]

/** All characters that may be in a name, up to the last plane with letters of living scripts. */
function listCharacters(): string[] {
  const points = Array.from({ length: 0x1ffff }, (_, index) => index + 1)
  return points
    .filter((point) => point < 0xd800 || point > 0xdfff)
    .map((point) => String.fromCodePoint(point))
}

/** How a character within a name folds. */
const fold = (character: string): string => foldName(`x${character}y`)

/** The code points of a class, by how they fold. */
function describeClass(characters: readonly string[]): string {
  const folds = [...new Set(characters.map(fold))]
  const toPoints = (folded: string) =>
    characters.filter((each) => fold(each) === folded).map((each) => each.codePointAt(0)?.toString(16))
  return folds.map((folded) => `${folded}: ${toPoints(folded).slice(0, 8).join(' ')}`).join('; ')
}

/** A character of more than 16 bits, some of which fold to a letter or digit, as newer collations have it. */
const isWide = (character: string): boolean => character.length > 1 || character === '\ufffd'

describe.skipIf(!HAS.mysql)(
  'characters that a collation of MariaDB treats as one',
  { timeout: 120_000 },
  () => {
    let pool: Pool
    beforeAll(async () => {
      pool = createPool({ ...MYSQL, connectionLimit: 1 })
      await pool.query(`create database ${DATABASE}`)
      await pool.query(
        `create temporary table ${DATABASE}.points (c varchar(8) character set utf8mb4 collate utf8mb4_bin)`,
      )
      const all = listCharacters().map((character) => [character])
      for (let i = 0; i < all.length; i += 4000)
        await pool.query(`insert into ${DATABASE}.points values ?`, [all.slice(i, i + 4000)])
    }, 60_000)
    afterAll(async () => {
      await pool.query(`drop database ${DATABASE}`)
      await pool.end()
    })

    it.each(COLLATIONS)('are one for the limits: %s', async (collation) => {
      const [rows] = await pool.query<RowDataPacket[]>(
        `select c, hex(weight_string(concat('x', c, 'y') collate ${collation})) as weight from ${DATABASE}.points
       union all select '', hex(weight_string('xy' collate ${collation}))`,
      )
      const classes = new Map<string, string[]>()
      for (const { c, weight } of rows) {
        const members = classes.get(weight)
        if (members) members.push(c)
        else classes.set(weight, [c])
      }
      const split: string[] = []
      for (const characters of classes.values()) {
        // All wide ones are one class in older collations. Those without a narrow equal are one here too.
        const isOneClass = characters.filter(isWide).length > 10_000
        const compared = isOneClass ? characters.filter((each) => fold(each) === 'x\ufffdy') : characters
        const folds = new Set(compared.map(fold))
        if (folds.size > 1) split.push(describeClass(compared))
      }
      expect(split).toEqual([])
    })

    it('are so many that the comparison means something', async () => {
      expect(new Set(listCharacters().map(fold)).size).toBeGreaterThan(40_000)
    })
  },
)
