/** The tables of this server. The library creates those of the sessions. */
import { type CreateTableBuilder, type Kysely, sql } from 'kysely'

/** One user. */
export interface UserRow {
  /**
   * At most 320 characters, without U+0000, at which SQLite would cut the text. It is also the
   * subject of the user's tokens.
   */
  readonly username: string
  /** An argon2id hash in PHC form. */
  readonly password_hash: string
  /** A JSON list of scopes. */
  readonly scopes: string
}

/** One passkey. Drivers return large integers as numbers or as texts. */
export interface PasskeyRow {
  /** The credential ID, in base64url. */
  readonly id: string
  readonly username: string
  /** The public key (COSE), in base64url. */
  readonly public_key: string
  /** How often the authenticator has signed, if it counts. */
  readonly counter: number | string
  /** The browser that it was added with. */
  readonly user_agent: string
  /** Epoch seconds. */
  readonly created_at: number | string
  /** Epoch seconds. */
  readonly last_used_at: number | string
}

/** The second factor of a user: being set up, or on. */
export interface SecondFactorRow {
  readonly username: string
  /** The TOTP key, in base32. Whoever reads it can make codes. */
  readonly secret: string
  /** 0 while it is being set up, 1 once a code has confirmed it. */
  readonly is_on: number
  /** When the setup began, epoch seconds. */
  readonly created_at: number | string
  /** How many codes were tried to confirm it. */
  readonly tries: number
  /** The period of the last code that was accepted: each is good for one use. */
  readonly last_period: number | string
}

/** A recovery code that was not used. */
export interface RecoveryCodeRow {
  readonly username: string
  /** SHA-256 in hex. */
  readonly code_hash: string
}

/** The tables by name. */
export interface Tables {
  readonly users: UserRow
  readonly passkeys: PasskeyRow
  readonly second_factors: SecondFactorRow
  readonly recovery_codes: RecoveryCodeRow
}

/** Column types that differ between databases. */
export interface ColumnTypes {
  /** Of a name that is compared by its exact characters. */
  readonly name: string
  /** Of an ID in base64url: at most 1023 bytes (WebAuthn level 3 section 4). */
  readonly id: string
}

type Builder = CreateTableBuilder<string, never>

/** The columns of each table. */
const COLUMNS: { readonly [K in keyof Tables]: (table: Builder, types: ColumnTypes) => Builder } = {
  users: (table, { name }) =>
    table
      .addColumn('username', sql.raw(name), (column) => column.primaryKey().notNull())
      .addColumn('password_hash', 'varchar(255)', (column) => column.notNull())
      .addColumn('scopes', 'text', (column) => column.notNull()),
  passkeys: (table, { name, id }) =>
    table
      .addColumn('id', sql.raw(id), (column) => column.primaryKey().notNull())
      .addColumn('username', sql.raw(name), (column) => column.notNull())
      .addColumn('public_key', 'text', (column) => column.notNull())
      .addColumn('counter', 'bigint', (column) => column.notNull())
      .addColumn('user_agent', 'varchar(256)', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('last_used_at', 'bigint', (column) => column.notNull())
      // The index that lists the passkeys of a user.
      .addUniqueConstraint('passkeys_of_user', ['username', 'id'] as never),
  second_factors: (table, { name }) =>
    table
      .addColumn('username', sql.raw(name), (column) => column.primaryKey().notNull())
      .addColumn('secret', 'varchar(64)', (column) => column.notNull())
      .addColumn('is_on', 'smallint', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('tries', 'smallint', (column) => column.notNull())
      .addColumn('last_period', 'bigint', (column) => column.notNull()),
  recovery_codes: (table, { name }) =>
    table
      .addColumn('username', sql.raw(name), (column) => column.notNull())
      .addColumn('code_hash', 'char(64)', (column) => column.notNull())
      .addPrimaryKeyConstraint('recovery_codes_key', ['username', 'code_hash'] as never),
}

/** The statements that create the tables where they do not exist. */
export function createStatements(database: Kysely<Tables>, types: ColumnTypes): readonly Builder[] {
  return Object.entries(COLUMNS).map(([name, addColumns]) =>
    addColumns(database.schema.createTable(name).ifNotExists() as Builder, types),
  )
}
