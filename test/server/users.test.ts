import { availableParallelism } from 'node:os'
import type { Kysely } from 'kysely'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openDatabase } from '../../server/database.ts'
import { createPasswords, DUMMY_HASH, isPassword, type Passwords } from '../../server/passwords.ts'
import type { Tables } from '../../server/tables.ts'
import { createUsers, isUsername, type Users } from '../../server/users.ts'

async function prepare(
  wrap = (passwords: Passwords) => passwords,
): Promise<{ users: Users; database: Kysely<Tables> }> {
  const database = await openDatabase({ kind: 'sqlite', path: ':memory:', createFolder: false })
  onTestFinished(() => database.destroy())
  const users = createUsers(database, wrap(createPasswords()))
  await users.addDemoUsers()
  return { users, database }
}

describe('the demo users', () => {
  it('can sign in with their names', async () => {
    const { users } = await prepare()
    const admin = { username: 'admin', password: 'admin' }
    expect(await users.verifyCredentials({ username: 'test', password: 'test' })).toEqual({
      subject: 'test',
      scopes: [],
    })
    expect(await users.verifyCredentials(admin)).toEqual({ subject: 'admin', scopes: ['admin:*'] })
    expect(await users.findDemoUsers()).toEqual(['test', 'admin'])
  })

  it('are stored as argon2id hashes, each with its own salt', async () => {
    const { database } = await prepare()
    const hashes = (await database.selectFrom('users').select('password_hash').execute()).map(
      (row) => row.password_hash,
    )
    for (const hash of hashes)
      expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
    expect(new Set(hashes.map((hash) => hash.split('$')[4])).size).toBe(2)
  })

  it('are created only if there are no users at all', async () => {
    const { users, database } = await prepare()
    await users.changePassword('test', 'correct horse')
    await database.deleteFrom('users').where('username', '=', 'admin').execute()
    await users.addDemoUsers()
    expect(
      (await database.selectFrom('users').select('username').execute()).map((row) => row.username),
    ).toEqual(['test'])
    expect(await users.findDemoUsers()).toEqual([])
  })
})

describe('verifyCredentials', () => {
  it('refuses a wrong password and any name that does not match exactly', async () => {
    const { users } = await prepare()
    const names = [
      'Test',
      'TEST',
      'test ',
      ' test',
      'tést',
      'test\0',
      'test\0x',
      'tes',
      '',
      '%',
      'nobody',
      "' OR 1=1 --",
    ]
    for (const username of names)
      expect(await users.verifyCredentials({ username, password: 'test' })).toBeNull()
    for (const password of ['', 'Test', 'test ', 'test\0', 'tes', 'x'.repeat(1024), 'x'.repeat(1025)]) {
      expect(await users.verifyCredentials({ username: 'test', password })).toBeNull()
    }
  })

  it('verifies one hash of the same strength for a user who does not exist', async () => {
    const seen: string[] = []
    const { users } = await prepare((passwords) => ({
      ...passwords,
      verify: (hash, password) => passwords.verify(hash, password).finally(() => seen.push(hash)),
    }))
    await users.verifyCredentials({ username: 'nobody', password: 'test' })
    expect(seen).toEqual([DUMMY_HASH])
    const strength = (hash: string) => hash.split('$').slice(0, 4).join('$')
    expect(strength(await createPasswords().hash('x'))).toBe(strength(DUMMY_HASH))
    expect(DUMMY_HASH).toHaveLength((await createPasswords().hash('x')).length)
  })

  it('refuses impossible names and passwords without a query', async () => {
    const { users } = await prepare((passwords) => ({
      ...passwords,
      verify: () => Promise.reject(new Error('hashed')),
    }))
    const password = 'x'.repeat(1025)
    expect(await users.verifyCredentials({ username: 'test', password })).toBeNull()
    expect(await users.verifyCredentials({ username: 'u'.repeat(321), password: 'x' })).toBeNull()
    expect(await users.verifyCredentials({ username: 'a\ud800', password: 'x' })).toBeNull()
    expect(await users.verifyCredentials({ username: 'test', password: 'a\udfff' })).toBeNull()
  })

  it('uses the whole of a long password', async () => {
    const { users } = await prepare()
    await users.changePassword('test', 'é'.repeat(512))
    expect(await users.verifyCredentials({ username: 'test', password: 'é'.repeat(512) })).not.toBeNull()
    expect(await users.verifyCredentials({ username: 'test', password: `${'é'.repeat(511)}e` })).toBeNull()
  })

  it('is store_unavailable, not a wrong password, when the database fails', async () => {
    const { users, database } = await prepare()
    expect(await users.ready()).toBe(true)
    await database.schema.dropTable('users').execute()
    const attempt = users.verifyCredentials({ username: 'test', password: 'test' })
    await expect(attempt).rejects.toMatchObject({ code: 'store_unavailable', status: 503 })
    expect(await users.ready()).toBe(false)
  })
})

describe('changePassword', () => {
  it('replaces the old password by the new one', async () => {
    const { users } = await prepare()
    await users.changePassword('test', 'correct horse')
    expect(await users.verifyCredentials({ username: 'test', password: 'test' })).toBeNull()
    expect(await users.verifyCredentials({ username: 'test', password: 'correct horse' })).not.toBeNull()
    expect(await users.findDemoUsers()).toEqual(['admin'])
  })

  it('is subject_unknown for a user who no longer exists', async () => {
    const { users } = await prepare()
    await expect(users.changePassword('gone', 'correct horse')).rejects.toMatchObject({
      code: 'subject_unknown',
    })
  })
})

describe('createPasswords', () => {
  it('limits the hashes that run and wait, and recovers', async () => {
    const passwords = createPasswords({ running: 1, waiting: 1 })
    const attempts = await Promise.allSettled(['a', 'b', 'c'].map(passwords.hash))
    expect(attempts.map((attempt) => attempt.status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(attempts[2]).toMatchObject({ reason: { code: 'rate_limited', detail: { retryAfter: 1 } } })
    expect(await passwords.verify(await passwords.hash('a'), 'a')).toBe(true)
  })

  it('frees its slot when a check fails', async () => {
    const passwords = createPasswords({ running: 1, waiting: 0 })
    await expect(passwords.verify('no hash', 'x')).rejects.toThrow()
    expect(await passwords.verify(DUMMY_HASH, 'x')).toBe(false)
  })

  it('completes a burst that fits the queue', async () => {
    const passwords = createPasswords()
    const burst = Array.from({ length: 8 * availableParallelism() }, () => passwords.verify(DUMMY_HASH, 'x'))
    expect(new Set(await Promise.all(burst))).toEqual(new Set([false]))
  })
})

it('knows what a password and a name can be', () => {
  expect(isPassword('x'.repeat(8), 8)).toBe(true)
  expect(isPassword('é'.repeat(4), 8)).toBe(true)
  for (const value of [
    'x'.repeat(7),
    'x'.repeat(1025),
    'é'.repeat(513),
    12345678,
    null,
    ['x'.repeat(8)],
    'xxxxxxxx\ud800',
  ]) {
    expect(isPassword(value, 8)).toBe(false)
  }
  expect(isUsername('u'.repeat(320))).toBe(true)
  for (const value of ['', 'u'.repeat(321), 'a\0', 'a\ud800', 1, null, {}])
    expect(isUsername(value)).toBe(false)
})
