/**
 * What this runner can do, and what it cannot yet: one table by capability.
 * A later issue that brings more moves a row, adds its steps to `steps.ts`, and nothing else.
 */
import type { AttackCase } from './cases.ts'

/** Capabilities that the case file asks for: true, or the reason why not. */
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
  // The ready-made routes never redirect; that they do not is what the case asks.
  redirects: true,
  'route:/logout': true,
  'route:/sessions': true,
  // What follows takes servers that the runner starts; a program that is not here skips a case when
  // it is asked for.
  store_control: true,
  fault: true,
  proxy: true,
  multi_process: true,
  redis: true,
  redis_replica: 'needs a Redis with replicas (later)',
  browser_client: true,
  multi_issuer: 'one issuer per application: there is no such feature',
  custom_key_resolver: 'keys are bound at start: there is no such feature',
  jwks: 'keys are never fetched: there is no such feature',
}

/** Environment variable that allows trials which take a minute or more. */
const LONG = 'ATTACK_LONG'

/** Whether there is time for trials that take a minute or more. */
export function isLongRun(): boolean {
  return Boolean(process.env[LONG])
}

function lacks(need: string): string | undefined {
  const capability = CAPABILITIES[need] ?? CAPABILITIES[need.split(':')[0] ?? '']
  if (capability === true) return undefined
  return capability ?? `needs ${need}, which this runner does not know`
}

/** Why a case cannot run here; undefined when it can. */
export function reasonToSkip(attack: AttackCase): string | undefined {
  return attack.needs.map(lacks).find((reason) => reason !== undefined)
}
