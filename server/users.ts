/**
 * Who may sign in: looks users up, checks and changes their passwords, and makes the two demo
 * users. A user's name is also the subject of the tokens. Nothing here knows of tokens. A database
 * that fails is `store_unavailable` (503), never "bad password".
 */
import type { Kysely } from 'kysely'
import { AuthError } from 'tokenwright'
import { retryTransient } from 'tokenwright/stores/sql'
import type { Tables, UserRow } from './database.ts'
import { isPassword, NOBODYS_HASH, type Passwords } from './passwords.ts'

/** Their passwords are their names. Made when the table is empty, never in production. */
const DEMO_USERS = [
  { username: 'test', scopes: [] },
  { username: 'admin', scopes: ['admin:*'] },
] as const

/**
 * The longest user name, in characters; as long as an e-mail address can be (RFC 5321 section
 * 4.5.3.1).
 */
export const USERNAME_MAX = 320

/** What a correct login proves. */
export interface Identity {
  readonly subject: string
  readonly scopes: readonly string[]
}

/** The users and what can be done with them. */
export interface Users {
  /**
   * Checks a password in the same time whether or not the user exists. Null: one of the two is
   * wrong.
   */
  verifyCredentials(credentials: {
    readonly username: string
    readonly password: string
  }): Promise<Identity | null>
  /** What a user may do now; null for a user who is gone. */
  rightsOf(username: string): Promise<{ readonly scopes: readonly string[] } | null>
  /** Sets a new password. @throws {AuthError} `subject_unknown` when the user is gone */
  changePassword(username: string, password: string): Promise<void>
  /** Makes the demo users if there are no users at all. */
  addDemoUsers(): Promise<void>
  /** The demo users whose password is still their name. */
  findDemoUsers(): Promise<readonly string[]>
  /** Whether the database answers. */
  ready(): Promise<boolean>
}

/** How long others may keep the database locked, in seconds. */
const PATIENCE = 2

/**
 * Prepares the users of a database.
 *
 * @param failed hears of every query that fails
 */
export function createUsers(
  database: Kysely<Tables>,
  passwords: Passwords,
  failed: (cause: unknown) => void = () => undefined,
): Users {
  /** Runs a query; its failure is nobody's wrong password. */
  async function ask<T>(query: () => Promise<T>): Promise<T> {
    try {
      return await retryTransient(query, PATIENCE)
    } catch (cause) {
      failed(cause)
      throw new AuthError('store_unavailable', { cause, detail: { retryAfter: 1 } })
    }
  }
  const find = async (username: string): Promise<UserRow | undefined> => {
    const query = database.selectFrom('users').selectAll().where('username', '=', username)
    const user = await ask(() => query.executeTakeFirst())
    // Compared once more, since a database may fold blanks at the end where SQLite does not.
    return user?.username === username ? user : undefined
  }
  const isEmpty = async () =>
    (await database.selectFrom('users').select('username').limit(1).execute()).length === 0

  const verifyCredentials: Users['verifyCredentials'] = async ({ username, password }) => {
    // What cannot be a name or a password is refused early: that tells nothing about who exists.
    if (!isUsername(username) || !isPassword(password)) return null
    const user = await find(username)
    const correct = await passwords.verify(user?.password_hash ?? NOBODYS_HASH, password)
    if (!correct || user === undefined) return null
    return { subject: user.username, scopes: JSON.parse(user.scopes) }
  }

  return {
    verifyCredentials,
    async rightsOf(username) {
      const user = await find(username)
      return user === undefined ? null : { scopes: JSON.parse(user.scopes) }
    },
    async changePassword(username, password) {
      if ((await find(username)) === undefined) throw new AuthError('subject_unknown')
      const password_hash = await passwords.hash(password)
      const { numUpdatedRows } = await ask(() =>
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
        await retryTransient(() => insert.execute(), PATIENCE)
      } catch (error) {
        // Another server may start at this moment: the first one's rows stay.
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
 * Whether text can be a user's name; U+0000 would be cut at by SQLite, and lone surrogates fold
 * into one.
 */
export function isUsername(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value.length > USERNAME_MAX) return false
  return !value.includes('\0') && !/\p{Surrogate}/u.test(value)
}
