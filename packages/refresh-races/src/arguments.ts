/** Reads and checks the arguments of the command, before it sends anything. */
import { parseArgs } from 'node:util'
import type { HttpTarget, RefreshBy } from './http-endpoint.ts'

/** What `--help` prints. */
export const HELP = `Usage: refresh-races <refresh URL> --body <login JSON> [options]

Races browser tabs and token thieves against the refresh endpoint of a server, and prints
how many sessions users lost without reason. It logs in many times, so use a test account
on your own server.

What to send
  --login <URL>         where to log in       default: the refresh URL, ending in /login
  --body <JSON>         the JSON of a login   (also --login-body)
  --refresh-by <way>    how to send the refresh token: body, header or cookie
                        default: body
  --token-path <path>   where the refresh token is in a JSON response, such as
                        data.tokens.refresh   default: refresh_token
  --field <name>        the name of the refresh token in the JSON of a refresh
                        default: the last name of --token-path
  --header <text>       a header for every request, such as 'Origin: https://app.example';
                        can be repeated
  --echo <name=header>  with cookies: also sends the value of a cookie in a header, for CSRF
                        protection, such as csrf_token=X-CSRF-Token

How to race
  --cycles <n>          how many times the tabs of a user refresh together   default: 100
  --users <n>           how many users share the cycles, in parallel         default: 10
  --tabs <n>            the largest number of tabs of a user                 default: 4
  --thieves <n>         how many thieves of each kind                        default: 5
  --watched <n>         how many refreshes of a thief to watch               default: 5
  --every <seconds>     the time between two cycles of a user                default: 90
  --speed <n>           runs n times as fast, for a server whose times are n times shorter
                        default: 1
  --seed <n>            the same seed gives the same races                   default: 1

Output
  --json                prints the report as JSON
  --help, --version

If the server accepts the previous token for some time (an overlap, a grace period), --every
must be more than twice as long. Or use --speed and a shorter overlap.

Exit codes: 0 no session was lost, 1 sessions were lost, 2 it could not race.`

/** The races that the arguments ask for. */
export interface Command {
  /** Where requests go and what they contain. */
  readonly target: HttpTarget
  /** How many times the tabs of a user refresh together. */
  readonly cycles: number
  /** How many users share the cycles. */
  readonly users: number
  /** The largest number of tabs of a user. */
  readonly tabs: number
  /** How many thieves of each kind. */
  readonly thieves: number
  /** How many refreshes of a thief to watch. */
  readonly watched: number
  /** Seconds between two cycles of a user. */
  readonly every: number
  /** Simulated seconds per real second. */
  readonly speed: number
  /** The seed of the random numbers. */
  readonly seed: number
  /** Whether the report is printed as JSON. */
  readonly json: boolean
}

const OPTIONS = {
  login: { type: 'string' },
  body: { type: 'string' },
  'login-body': { type: 'string' },
  'refresh-by': { type: 'string', default: 'body' },
  'token-path': { type: 'string', default: 'refresh_token' },
  field: { type: 'string' },
  header: { type: 'string', multiple: true, default: [] as string[] },
  echo: { type: 'string' },
  cycles: { type: 'string', default: '100' },
  users: { type: 'string', default: '10' },
  tabs: { type: 'string', default: '4' },
  thieves: { type: 'string', default: '5' },
  watched: { type: 'string', default: '5' },
  every: { type: 'string', default: '90' },
  speed: { type: 'string', default: '1' },
  seed: { type: 'string', default: '1' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const

const WAYS: readonly RefreshBy[] = ['body', 'header', 'cookie']

/**
 * Reads the arguments.
 *
 * @returns the command, or what to print instead
 * @throws {Error} with one line that names the argument and what it must be. It never quotes the
 *   login.
 */
export function readArguments(args: readonly string[]): Command | 'help' | 'version' {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
  if (values.help) return 'help'
  if (values.version) return 'version'
  const [url, ...others] = positionals
  if (url === undefined) throw new Error('Give the refresh URL, such as https://host/auth/refresh')
  if (others.length > 0)
    throw new Error(`Give one URL, got ${positionals.length}. The URL of the login goes to --login`)
  const refresh = readUrl('The refresh URL', url)
  const count = (name: 'cycles' | 'users' | 'tabs' | 'thieves' | 'watched' | 'seed', min: number): number =>
    readNumber(`--${name}`, values[name], { min, whole: true })
  return {
    target: {
      refresh,
      login: values.login === undefined ? new URL('login', refresh).href : readUrl('--login', values.login),
      body: readBody(values.body ?? values['login-body']),
      by: readWay(values['refresh-by']),
      tokenPath: values['token-path'],
      field: values.field ?? values['token-path'].split('.').at(-1) ?? '',
      headers: Object.fromEntries(values.header.map(readHeader)),
      echo: values.echo === undefined ? undefined : readEcho(values.echo),
    },
    cycles: count('cycles', 1),
    users: count('users', 1),
    tabs: count('tabs', 1),
    thieves: count('thieves', 0),
    watched: count('watched', 1),
    every: readNumber('--every', values.every, { min: 1, whole: false }),
    speed: readNumber('--speed', values.speed, { min: 0.001, whole: false }),
    seed: count('seed', 0),
    json: values.json,
  }
}

function readUrl(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.href
  throw new Error(`${name} must begin with http:// or https://, got ${JSON.stringify(text)}`)
}

function readBody(text: string | undefined): string {
  if (text === undefined) throw new Error('Give the JSON of a login with --body')
  try {
    JSON.parse(text)
    return text
  } catch {
    throw new Error(`--body must be JSON, such as '{"username":"test","password":"test"}'`)
  }
}

function readWay(text: string): RefreshBy {
  const way = WAYS.find((name) => name === text)
  if (way !== undefined) return way
  throw new Error(`--refresh-by must be ${WAYS.join(', ')}, got ${JSON.stringify(text)}`)
}

function readHeader(text: string): [string, string] {
  const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*)$/.exec(text) ?? []
  if (name !== '') return [name, value]
  throw new Error(`--header must be a name, a colon and a value, such as 'Origin: https://app.example'`)
}

function readEcho(text: string): { readonly cookie: string; readonly header: string } {
  const [, cookie = '', header = ''] = /^([^=]+)=([\w-]+)$/.exec(text) ?? []
  if (cookie !== '') return { cookie, header }
  throw new Error(
    `--echo must be a cookie and a header, such as csrf_token=X-CSRF-Token, got ${JSON.stringify(text)}`,
  )
}

function readNumber(name: string, text: string, { min, whole }: { min: number; whole: boolean }): number {
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (number >= min && (!whole || Number.isSafeInteger(number))) return number
  throw new Error(`${name} must be a ${whole ? 'whole ' : ''}number from ${min}, got ${JSON.stringify(text)}`)
}
