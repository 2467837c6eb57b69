/**
 * The users: looks them up, verifies and changes their passwords, and creates the two demo users. A
 * user's name is also the subject of their tokens. This file does not deal with tokens. A failing
 * database is `store_unavailable` (503), never "bad password".
 */
import type { Kysely } from 'kysely'
import { AuthError } from 'tokenwright'
import { retryTransient } from 'tokenwright/stores/sql'
import { DUMMY_HASH, isPassword, type Passwords } from './passwords.ts'
import { createRunQuery, LOCK_TIMEOUT } from './queries.ts'
import type { Tables, UserRow } from './tables.ts'

/** Their passwords are their names. Created when the table is empty, never in production. */
const DEMO_USERS = [
  { username: 'test', scopes: [] },
  { username: 'admin', scopes: ['admin:*'] },
] as const

/** The longest user name, in characters: that of an email address (RFC 5321 section 4.5.3.1). */
export const USERNAME_MAX = 320

/** The user that a login has identified. */
export interface Identity {
  readonly subject: string
  readonly scopes: readonly string[]
  readonly remember?: boolean
}

/** The users of this server. */
export interface Users {
  /**
   * Verifies a password. It takes the same time whether or not the user exists. Null: the name or
   * the password is wrong.
   */
  verifyCredentials(credentials: {
    readonly username: string
    readonly password: string
    /** False ends the cookies with the browser, and the session within a day. */
    readonly remember?: unknown
  }): Promise<Identity | null>
  /** What a user may do now. Null if the user no longer exists. */
  rightsOf(username: string): Promise<{ readonly scopes: readonly string[] } | null>
  /**
   * Sets a new password.
   *
   * @throws {AuthError} `subject_unknown` when the user does not exist; `request_invalid` for the
   *   old one
   */
  changePassword(username: string, password: string): Promise<void>
  /** Creates the demo users if there are no users at all. */
  addDemoUsers(): Promise<void>
  /** The demo users whose password is still their name. */
  findDemoUsers(): Promise<readonly string[]>
  /** Whether the database responds. */
  ready(): Promise<boolean>
}

/**
 * Creates the users of a database.
 *
 * @param run runs each query
 */
export function createUsers(database: Kysely<Tables>, passwords: Passwords, run = createRunQuery()): Users {
  const find = async (username: string): Promise<UserRow | undefined> => {
    const query = database.selectFrom('users').selectAll().where('username', '=', username)
    const user = await run(() => query.executeTakeFirst())
    // Compared again, because some databases ignore trailing spaces.
    return user?.username === username ? user : undefined
  }
  const isEmpty = async () =>
    (await database.selectFrom('users').select('username').limit(1).execute()).length === 0

  const verifyCredentials: Users['verifyCredentials'] = async ({ username, password, remember }) => {
    // Refusing impossible names and passwords early does not reveal who exists.
    if (!isUsername(username) || !isPassword(password)) return null
    const user = await find(username)
    const correct = await passwords.verify(user?.password_hash ?? DUMMY_HASH, password)
    if (!correct || user === undefined) return null
    const identity = { subject: user.username, scopes: JSON.parse(user.scopes) }
    return remember === false ? { ...identity, remember } : identity
  }

  return {
    verifyCredentials,
    async rightsOf(username) {
      const user = await find(username)
      return user === undefined ? null : { scopes: JSON.parse(user.scopes) }
    },
    async changePassword(username, password) {
      const user = await find(username)
      if (user === undefined) throw new AuthError('subject_unknown')
      // Whoever knows the old one must not know the new one.
      if (await passwords.verify(user.password_hash, password))
        throw new AuthError('request_invalid', { message: 'The new password must differ from the old one' })
      const password_hash = await passwords.hash(password)
      const { numUpdatedRows } = await run(() =>
        database
          .updateTable('users')
          .set({ password_hash })
          .where('username', '=', username)
          .executeTakeFirst(),
      )
      if (numUpdatedRows === 0n) throw new AuthError('subject_unknown')
    },
    async addDemoUsers() {
      if (!(await isEmpty())) return
      const rows = DEMO_USERS.map(async ({ username, scopes }) => ({
        username,
        password_hash: await passwords.hash(username),
        scopes: JSON.stringify(scopes),
      }))
      const insert = database.insertInto('users').values(await Promise.all(rows))
      try {
        await retryTransient(() => insert.execute(), LOCK_TIMEOUT)
      } catch (error) {
        // If another server starts at this moment, the rows of the first one stay.
        if (await isEmpty()) throw error
      }
    },
    async findDemoUsers() {
      const checks = DEMO_USERS.map(({ username }) => verifyCredentials({ username, password: username }))
      return (await Promise.all(checks)).flatMap((identity) => identity?.subject ?? [])
    },
    ready: () =>
      find('').then(
        () => true,
        () => false,
      ),
  }
}

/**
 * Whether a value can be a user's name. SQLite would cut it at U+0000, and all lone surrogates
 * become the same character.
 */
export function isUsername(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value.length > USERNAME_MAX) return false
  return !value.includes('\0') && !/\p{Surrogate}/u.test(value)
}
