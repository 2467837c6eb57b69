/**
 * The application under attack in other set-ups: with other options, as a service without the
 * session store that follows a feed, as one of several realms, with keys that a file holds.
 */
import { type AuthOptions, createKeyRing, remoteFeed } from 'tokenwright'
import type { Attacker } from './attacker.ts'
import { findKey } from './keys.ts'
import { isMembers, Unsupported, type Value } from './values.ts'

/** The value of a member of `configure`. */
type Members = { readonly [name: string]: Value }

/** Reads a value, and returns what builds the application again. */
type Rebuild = (value: Members, attacker: Attacker) => () => void

/** The client of the application that is there for services without the store. */
const CREDENTIALS = { id: 'resource-server', secret: 'client-secret' } as const

const toOptions = (value: unknown) => value as Partial<AuthOptions>

const follow: Rebuild = ({ url, ...options }, { target }) => {
  const address = String(url)
  return () => {
    const source = remoteFeed({ url: address, credentials: CREDENTIALS })
    target.rebuild(toOptions({ sessions: undefined, revocation: { source, ...options } }))
  }
}

/** The first realm is the one under attack. Each other one has a key with a name of `mint`. */
const realms: Rebuild = (value, { target }) => {
  const [[name, own] = ['', {}], ...rest] = Object.entries(value)
  const others = Object.fromEntries(rest.map(([other, one]) => [other, toRealm(other, one, target.server)]))
  return () => target.rebuild(toOptions(own), { name, others })
}

function toRealm(name: string, value: Value, server: Parameters<typeof findKey>[1]): object {
  const { key, ...options } = isMembers(value) ? value : { key: null }
  const secret = typeof key === 'string' ? findKey(key, server) : undefined
  if (!(secret instanceof Uint8Array)) throw new Unsupported(`the realm '${name}' needs a secret as 'key'`)
  return { ...options, secret }
}

const keyFile: Rebuild = (options, { target, environment }) => {
  const load = environment.outside.keyFile()
  return () => target.rebuild(toOptions({ secret: undefined, keys: createKeyRing({ load, ...options }) }))
}

/** The set-ups, by their name in `configure`. */
export const REBUILDS: Readonly<Record<string, Rebuild>> = {
  options:
    (value, { target }) =>
    () =>
      target.rebuild(toOptions(value)),
  follow,
  realms,
  key_file: keyFile,
}
