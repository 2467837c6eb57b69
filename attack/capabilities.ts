/** What this runner can do and what it cannot: one table of capabilities. */
import type { AttackCase } from './cases.ts'

/** The capabilities that cases ask for: true, or why the runner lacks it. */
const CAPABILITIES: Readonly<Record<string, true | string>> = {
  asymmetric_server: true,
  server_public_key: true,
  server_key: true,
  config: true,
  key_rotation: true,
  custom_claims_hook: true,
  clock: true,
  aux_tokens: true,
  logs: true,
  types: true,
  in_process: true,
  static: true,
  // The library's routes never redirect, and that is what the case checks.
  redirects: true,
  'route:/logout': true,
  'route:/sessions': true,
  // The runner starts servers for these. A case is skipped if the machine lacks the program.
  store_control: true,
  fault: true,
  proxy: true,
  multi_process: true,
  redis: true,
  redis_replica: 'needs a Redis with replicas (later)',
  browser_client: true,
  // Servers on this machine, whose responses the case scripts; and names that lead to them.
  outside: true,
  // The application as a service without the store.
  follow: true,
  key_file: true,
  multi_issuer: true,
  jwks: true,
  custom_key_resolver: 'keys are fixed at the start: there is no such feature',
}

/** The environment variable that allows trials of a minute or more. */
const LONG = 'ATTACK_LONG'

/** Whether trials may take a minute or more. */
export function isLongRun(): boolean {
  return Boolean(process.env[LONG])
}

function lacks(need: string): string | undefined {
  const known = [need, need.split(':')[0] ?? ''].find((name) => Object.hasOwn(CAPABILITIES, name))
  const capability = known === undefined ? undefined : CAPABILITIES[known]
  if (capability === true) return undefined
  return capability ?? `needs ${need}, which this runner does not know`
}

/** Why a case cannot run here; undefined if it can. */
export function reasonToSkip(attack: AttackCase): string | undefined {
  return attack.needs.map(lacks).find((reason) => reason !== undefined)
}
