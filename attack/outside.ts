/** What a case puts around its application: servers that it scripts, names, and files with keys. */
import { spawnSync } from 'node:child_process'
import dns from 'node:dns'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Peer } from './peers.ts'
import { Absent } from './values.ts'

/** The addresses of a name at the first look-up, and at all later ones. */
export interface Resolution {
  readonly first: readonly string[]
  readonly later: readonly string[]
}

/** What is outside of one application, until its case ends. */
export class Outside {
  readonly #peers = new Map<string, Peer>()
  readonly #names = new Map<string, Resolution>()
  #restore: (() => void) | undefined
  #folder: string | undefined

  /** A server by its name, started with its first use. */
  async start(name: string): Promise<Peer> {
    const peer = this.#peers.get(name) ?? (await Peer.start())
    this.#peers.set(name, peer)
    return peer
  }

  /** A server that was started. */
  find(name: string): Peer | undefined {
    return this.#peers.get(name)
  }

  /**
   * Lets this process resolve a name as its owner would: to any address, and to another one the
   * next time. All other names resolve as usual.
   */
  resolveAs(name: string, resolution: Resolution): void {
    this.#restore ??= replaceLookups((host) => this.#next(host))
    this.#names.set(name, resolution)
  }

  /** The path of the file with the application's keys. */
  keyFile(): string {
    this.#folder ??= mkdtempSync(join(tmpdir(), 'attack-keys-'))
    return join(this.#folder, 'keys.json')
  }

  /** Puts something in the place of that file. */
  putKeyFile(put: PutFile): void {
    const path = this.keyFile()
    const fresh = `${path}.fresh`
    rmSync(fresh, { recursive: true, force: true })
    put(fresh)
    rmSync(path, { recursive: true, force: true })
    renameSync(fresh, path)
  }

  async close(): Promise<void> {
    this.#restore?.()
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true })
    for (const peer of this.#peers.values()) await peer.close()
  }

  #next(host: string): readonly string[] | undefined {
    const resolution = this.#names.get(host)
    if (resolution === undefined) return undefined
    this.#names.set(host, { first: resolution.later, later: resolution.later })
    return resolution.first
  }
}

/** Makes a file, or something else, at a path. */
export type PutFile = (path: string) => void

/** What is in the place of a file, by its name in case files. */
export const NO_FILES: Readonly<Record<string, PutFile>> = {
  folder: (path) => mkdirSync(path),
  'link to nowhere': (path) => symlinkSync(`${path}.nowhere`, path),
  'endless device': (path) => symlinkSync('/dev/zero', path),
  pipe: (path) => {
    const { error, status } = spawnSync('mkfifo', [path])
    if (error !== undefined || status !== 0) throw new Absent('no named pipes on this machine')
  },
}

/** A file with a text. */
export function toFile(text: string): PutFile {
  return (path) => writeFileSync(path, text, { mode: 0o600 })
}

type Find = (host: string) => readonly string[] | undefined

type Lookup = (host: string, options: unknown, callback?: unknown) => unknown

/** Replaces both look-ups of `node:dns`. Returns a function that undoes it. */
function replaceLookups(find: Find): () => void {
  const { lookup, promises } = dns
  const { lookup: lookUpLater } = promises
  const inTime: Lookup = (host, options, callback) => {
    const entries = find(host)?.map(toEntry)
    const [first] = entries ?? []
    if (first === undefined) return (lookup as Lookup)(host, options, callback)
    const done = (typeof options === 'function' ? options : callback) as (...results: unknown[]) => void
    const results = Object(options).all === true ? [entries] : [first.address, first.family]
    return queueMicrotask(() => done(null, ...results))
  }
  const later: Lookup = async (host, options) => {
    const entries = find(host)?.map(toEntry)
    if (entries === undefined) return (lookUpLater as Lookup)(host, options)
    return Object(options).all === true ? entries : entries[0]
  }
  Object.assign(dns, { lookup: inTime })
  Object.assign(promises, { lookup: later })
  return () => {
    Object.assign(dns, { lookup })
    Object.assign(promises, { lookup: lookUpLater })
  }
}

function toEntry(address: string): { readonly address: string; readonly family: number } {
  return { address, family: address.includes(':') ? 6 : 4 }
}
