/** The steps about what is outside of the application: servers, names, and files with keys. */
import type { Attacker } from './attacker.ts'
import { isList, isObject, type Json, type JsonObject } from './cases.ts'
import { NO_FILES, type PutFile, type Resolution, toFile } from './outside.ts'
import { until } from './servers.ts'
import { countOf, resolve, textOf, toJson, Unsupported } from './values.ts'

/** The `serve` step: starts servers, and changes what they respond. */
export async function serve(body: JsonObject, attacker: Attacker): Promise<void> {
  const { outside } = attacker.environment
  // All of them before any of their paths: these may name each.
  for (const name of Object.keys(body)) await outside.start(name)
  for (const [name, paths] of Object.entries(body)) {
    if (!isObject(paths)) throw new Unsupported(`the server '${name}' needs an object of paths`)
    const peer = await outside.start(name)
    for (const [path, replies] of Object.entries(paths)) peer.script(path, await resolve(replies, attacker))
  }
}

/** How long a server may take until it was asked often enough, in seconds. */
const PATIENCE = 10

/** The most requests that a server may have to count. */
const MOST = 1_000

/** The `asked` step: how often a server was asked, or how many connections it got. */
export async function asked(body: JsonObject, attacker: Attacker): Promise<void> {
  const { path, times, most, least } = body
  const name = textOf(body['server'], 'server')
  const peer = attacker.environment.outside.find(name)
  if (peer === undefined) throw new Unsupported(`unknown server '${name}'`)
  const count = () =>
    path === undefined ? peer.connections : peer.requests.filter((one) => one === path).length
  const what = path === undefined ? `connections to ${name}` : `requests to ${name} for ${path}`
  if (least !== undefined) {
    const enough = countOf(least, 'least', MOST)
    await until(() => count() >= enough, PATIENCE, `${enough} ${what}`)
  }
  const allowed = countOf(times ?? most ?? MOST, 'times', MOST)
  const right = times === undefined ? count() <= allowed : count() === allowed
  if (!right)
    attacker.complaints.push(
      `${count()} ${what}, expected ${times === undefined ? 'at most ' : ''}${allowed}`,
    )
}

/** The `dns` step: the addresses of names, or their first ones and the later ones. */
export async function resolveNames(body: JsonObject, attacker: Attacker): Promise<void> {
  for (const [name, value] of Object.entries(body))
    attacker.environment.outside.resolveAs(name, toResolution(name, value))
}

function toResolution(name: string, value: Json): Resolution {
  const { first, later } = isObject(value) ? value : { first: value, later: value }
  const read = (addresses: Json | undefined) =>
    isList(addresses) ? addresses.filter((one) => typeof one === 'string') : []
  const resolution = { first: read(first), later: read(later) }
  if (resolution.first.length > 0 && resolution.later.length > 0) return resolution
  throw new Unsupported(`the name '${name}' needs a list of addresses`)
}

/** The `key_file` step: writes the file with the application's keys, or puts something there. */
export async function putKeyFile({ put }: JsonObject, attacker: Attacker): Promise<void> {
  const { json, text, instead } = isObject(put) ? put : {}
  const content = json ?? text
  const value = content === undefined ? undefined : await resolve(content, attacker)
  const file =
    value === undefined ? findNoFile(instead) : toFile(typeof value === 'string' ? value : toJson(value))
  if (file === undefined) throw new Unsupported(`unknown file ${JSON.stringify(put ?? null)}`)
  attacker.environment.outside.putKeyFile(file)
}

function findNoFile(name: Json | undefined): PutFile | undefined {
  return typeof name === 'string' && Object.hasOwn(NO_FILES, name) ? NO_FILES[name] : undefined
}
