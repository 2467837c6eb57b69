/** Prints the few lines that an operator needs after the start. Prints no secret. */
import type { AddressInfo } from 'node:net'
import { showLocation } from './address.ts'
import type { ServerConfig } from './config.ts'
import { VERSION } from './root.ts'

/** What is printed besides the address. */
export interface Announcement {
  readonly config: ServerConfig
  /**
   * The demo users who can still sign in. The database tells, not the settings: a database that was
   * created for a trial may be in production now.
   */
  readonly demoUsers: readonly string[]
  /** Where the secret comes from. */
  readonly secretOrigin: string
}

/** Prints the announcement on standard output. */
export function announce(address: AddressInfo, { config, demoUsers, secretOrigin }: Announcement): void {
  const { database, redis, production } = config
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  const demo = demoUsers.map((name) => `${name} / ${name}`).join(', ')
  const none = production ? 'none in production' : 'none with their first password'
  console.log(`Tokenwright ${VERSION} listens on http://${host}:${address.port} (API: /docs)`)
  console.log(`Demo users: ${demo || none}`)
  console.log(`Database:   ${showLocation(database)}`)
  console.log(`Sessions:   ${redis ? showLocation(redis) : 'in the database'}`)
  console.log(`Secret:     ${secretOrigin}`)
}
