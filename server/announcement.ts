/**
 * What the server says when it is up: the few lines that someone who just started it needs. No
 * secret is shown.
 */
import type { AddressInfo } from 'node:net'
import { showLocation } from './address.ts'
import type { ServerConfig } from './config.ts'
import { VERSION } from './root.ts'

/** What there is to say beside the address. */
export interface News {
  readonly config: ServerConfig
  /**
   * The demo users who can still sign in: asked of the database and not of the settings, since one
   * that was made for trying things out may be in production now.
   */
  readonly demoUsers: readonly string[]
  /** Where the secret came from. */
  readonly secretOrigin: string
}

/** Says it. */
export function announce(address: AddressInfo, { config, demoUsers, secretOrigin }: News): void {
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
