/**
 * What must hold after every attack: the assertion `default` of case files, as the threat model
 * defines it. `assertions.ts` has the assertions of single cases.
 */
import { type Attacker, type Exchange, toText } from './attacker.ts'
import { hasBody } from './expectations.ts'
import { holds } from './inspections.ts'
import type { Intent } from './intents.ts'
import { secretTexts } from './keys.ts'
import { headerValues, type RawResponse } from './raw-http.ts'

/** A check. Returns what is wrong. */
export type Check = (attacker: Attacker, last: Exchange | undefined) => Complaint | Promise<Complaint>
/** What is wrong, or undefined. */
export type Complaint = string | undefined

/** A complaint, unless the condition holds. */
export const unless = (holdsTrue: boolean, complaint: string): Complaint =>
  holdsTrue ? undefined : complaint
const isRefusal = (last: Exchange) => last.response.status >= 400

/** `Object.prototype` is not polluted. */
export function checkPollution(): Complaint {
  return unless(Object({} as Record<string, unknown>)['admin'] === undefined, 'Object.prototype has `admin`')
}

function readBody(response: RawResponse): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(response.body))
  } catch {
    return {}
  }
}

function checkRefusalBody(_attacker: Attacker, last: Exchange | undefined): Complaint {
  if (last === undefined || !isRefusal(last) || last.handling === undefined || !hasBody(last))
    return undefined
  const body = readBody(last.response)
  const missing = ['message', 'error_type', 'code'].filter((name) => typeof body[name] !== 'string')
  return unless(missing.length === 0, `the refusal's body lacks ${missing.join(', ')}`)
}

function checkChallenge(_attacker: Attacker, last: Exchange | undefined): Complaint {
  if (last?.response.status !== 401) return undefined
  const [challenge] = headerValues(last.response, 'www-authenticate')
  return unless(challenge?.startsWith('Bearer') === true, 'a 401 without WWW-Authenticate: Bearer')
}

/** Refusals, responses of guarded routes and this run's logs hold no token, key or password. */
export function checkLeaks({ suite }: Attacker, last: Exchange | undefined): Complaint {
  const response =
    last && (isRefusal(last) || last.request.path.startsWith('/protected')) ? last.response : undefined
  const texts = [response === undefined ? '' : toText(response), ...suite.output].join('\n')
  const leaked = [...suite.secrets, ...secretTexts(), 'pw'].some((secret) => holds(texts, secret))
  return unless(!leaked, 'a token, key or password shows up in the response or the logs')
}

const bearer = (token: string) => [['Authorization', `Bearer ${token}`]] as const

/**
 * Genuine tokens must still be valid after the attack: the ones in use, and a new one. What the
 * attack was refused must be open to an authorized user, or the refusal would prove nothing.
 */
async function checkGenuine(attacker: Attacker, last: Exchange | undefined): Promise<Complaint> {
  const { access } = await attacker.login('alice', 'body')
  const asked: Intent[] = [...attacker.genuine, access].map((token) => ({
    path: '/protected',
    headers: bearer(token),
  }))
  const path = last?.request.path ?? ''
  if (path.startsWith('/change-password')) asked.push({ method: 'POST', path, headers: bearer(access) })
  const scope = /[?&]need=([\w:]+)/.exec(path)?.[1]
  if (scope !== undefined)
    asked.push({ path, headers: bearer(await attacker.mint({ claims: { scopes: [scope] } })) })
  for (const intent of asked) {
    const { response } = await attacker.request(intent)
    if (response.status !== 200)
      return `afterwards ${intent.path} with a genuine token gets ${response.status} ${response.body}`
  }
  return undefined
}

/** The checks of `default`. Runs on several adapters show that all of them agree. */
export const DEFAULTS: readonly Check[] = [
  ({ attack }, last) =>
    unless(
      last === undefined || last.response.status < 500 || attack.expect.status.includes(last.response.status),
      'a 5xx',
    ),
  checkPromptness,
  checkNotExecuted,
  checkRefusalBody,
  checkChallenge,
  checkLeaks,
  ({ suite }) => unless(suite.unhandled.length === 0, `unhandled rejection: ${suite.unhandled[0]}`),
  checkPollution,
  checkGenuine,
]

function checkNotExecuted(_attacker: Attacker, last: Exchange | undefined): Complaint {
  return unless(
    last === undefined || !isRefusal(last) || last.executions.length === 0,
    'the handler ran for a refused request',
  )
}

/** Up to three tries, as the machine may be busy. */
async function checkPromptness(attacker: Attacker, last: Exchange | undefined): Promise<Complaint> {
  let elapsed = last?.response.elapsed ?? 0
  for (let i = 0; i < 2 && last !== undefined && elapsed >= 1_000; i++) {
    elapsed = (await attacker.request(toIntent(last))).response.elapsed
  }
  return unless(elapsed < 1_000, 'the response took more than 1 s')
}

/** The same request again. */
export function toIntent({ request }: Exchange): Intent {
  const { body, ...rest } = request
  return body === undefined ? rest : { ...rest, body }
}
