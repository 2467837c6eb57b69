/**
 * From the claims of an issuer to a user of the application, by its function `toUser`: with a
 * deadline, and with a check of what it returns.
 */
import { AuthError } from '../errors.ts'
import { ConfigurationError, checkKnownKeys, expected, isOptions } from '../internal/configuration-error.ts'
import { deepFreeze, findJsonMisfit } from '../internal/json.ts'
import { toOutage } from '../internal/outage.ts'
import { keysOf } from '../internal/read-options.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import { isReservedClaim, PAYLOAD_BOUNDS, SHAPES } from '../token/claim-shapes.ts'
import { isScope } from '../token/scopes.ts'
import type { Claims } from '../token/token-payload.ts'
import type { IssuerUser } from './options.ts'
import type { IssuerSettings } from './resolve-issuers.ts'

/** How long the option `toUser` may take, in seconds. */
const DEADLINE = 5

const USER_KEYS = keysOf<IssuerUser>({ sub: true, scopes: true, data: true, loginName: true })

/**
 * Maps claims.
 *
 * @returns what the function says, checked and frozen; undefined members for what it leaves open
 * @throws {AuthError} `subject_unknown`, `store_unavailable`
 * @throws {ConfigurationError} for a result of the wrong shape
 */
export async function mapUser(
  claims: Claims,
  { at, toUser, needsSub }: Pick<IssuerSettings, 'at' | 'toUser' | 'needsSub'>,
): Promise<IssuerUser> {
  if (toUser === null) return {}
  let user: unknown
  try {
    user = await withDeadline(`${at}.toUser`, DEADLINE, () => toUser(claims))
  } catch (error) {
    throw toOutage(error, `The option \`${at}.toUser\` failed`)
  }
  if (user === null || user === undefined) throw new AuthError('subject_unknown')
  return readUser(`${at}.toUser()`, user, needsSub)
}

function readUser(at: string, user: unknown, needsSub: boolean): IssuerUser {
  if (!isOptions(user)) throw new ConfigurationError(expected(at, '{ sub, scopes, data } or null', user))
  checkKnownKeys(at, user, USER_KEYS, { scope: 'scopes', subject: 'sub', claims: 'data' })
  const { sub, scopes, data, loginName } = user as IssuerUser
  if (sub === undefined ? needsSub : !SHAPES.sub(sub))
    throw new ConfigurationError(expected(`${at}.sub`, 'a non-empty string', sub))
  if (scopes !== undefined && !Array.isArray(scopes))
    throw new ConfigurationError(expected(`${at}.scopes`, 'a list of scopes', scopes))
  if (loginName !== undefined && !SHAPES.login_name(loginName))
    throw new ConfigurationError(expected(`${at}.loginName`, 'a non-empty string', loginName))
  return {
    sub,
    scopes: scopes && Object.freeze(scopes.filter(isScope)),
    data: data && readData(`${at}.data`, data),
    loginName,
  }
}

/** Copies the data: what the application returns may be an object that it uses elsewhere. */
function readData(at: string, data: unknown): Claims {
  if (!isOptions(data)) throw new ConfigurationError(expected(at, 'an object', data))
  const misfit = findJsonMisfit(data, PAYLOAD_BOUNDS.depth - 1)
  if (misfit !== undefined)
    throw new ConfigurationError(
      `Expected \`${[at, ...misfit.path].join('.')}\` to be plain JSON, got ${misfit.got}`,
    )
  const reserved = Object.keys(data).find(isReservedClaim)
  if (reserved !== undefined)
    throw new ConfigurationError(`Expected \`${at}\` to hold custom claims only: \`${reserved}\` is reserved`)
  return deepFreeze(structuredClone(data))
}
