/**
 * Passkeys (WebAuthn level 3): keeps them, and checks what browsers send. Each challenge is a
 * one-time token, so nothing has to be kept before a login, and each is good for one use.
 */
import { createHash } from 'node:crypto'
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server'
import type { Kysely } from 'kysely'
import { type Auth, AuthError, isAuthError } from 'tokenwright'
import { openPasskeyTable } from './passkey-table.ts'
import type { RunQuery } from './queries.ts'
import type { PasskeyRow, Tables } from './tables.ts'

/** How a passkey authenticates (RFC 8176): a key, and its user, whom the device has verified. */
export const PASSKEY_METHODS = ['pop', 'user', 'mfa'] as const

/** The site that passkeys belong to: the relying party. */
export interface Site {
  /** Such as `https://app.example.com`. */
  readonly origin: string
}

/** A passkey as its user sees it. Times are epoch seconds. */
export interface ShownPasskey {
  readonly id: string
  readonly user_agent: string
  readonly created_at: number
  readonly last_used_at: number
}

/** What a browser needs for a passkey: its options, and the token that holds the challenge. */
export interface Ceremony<O> {
  readonly options: O
  readonly challenge: string
}

/** What a browser sends back. Nothing of it is checked yet. */
export interface PasskeyResponse {
  readonly passkey: unknown
  readonly challenge: unknown
}

/** The passkeys of this server. Every method may reject with `store_unavailable`. */
export interface Passkeys {
  /** The passkeys of a user, the oldest first. */
  list(username: string): Promise<readonly ShownPasskey[]>
  /** Begins a login or a step-up, by any passkey of the site. */
  begin(site: Site): Promise<Ceremony<PublicKeyCredentialRequestOptionsJSON>>
  /** Whose passkey has responded; null where the response proves nothing. */
  verify(response: PasskeyResponse, site: Site): Promise<string | null>
  /** Begins to add a passkey. @throws {AuthError} `request_invalid` when the user has too many */
  beginToAdd(username: string, site: Site): Promise<Ceremony<PublicKeyCredentialCreationOptionsJSON>>
  /**
   * Adds a passkey.
   *
   * @throws {AuthError} `request_invalid`, also for a challenge that was used, is too old, is
   *   forged or was for another user
   */
  add(username: string, response: PasskeyResponse & { readonly userAgent: string }, site: Site): Promise<void>
  /** Removes a passkey. Resolves to whether the user had it. */
  remove(username: string, id: string): Promise<boolean>
}

/** What the passkeys build on. */
export interface PasskeyDependencies {
  readonly database: Kysely<Tables>
  readonly run: RunQuery
  readonly auth: Pick<Auth, 'oneTime' | 'now'>
}

/** The most passkeys of one user. */
const MOST = 20

/** How long a user may take, as `expiresIn`. */
const CHALLENGE_LIFE = '5m'

/** The library takes longer to load than all of the server, and few requests need it. */
const loadLibrary = () => import('@simplewebauthn/server')

/** Creates the passkeys of a database. */
export function createPasskeys({ database, run, auth }: PasskeyDependencies): Passkeys {
  const table = openPasskeyTable(database, run)
  const now = () => Math.floor(auth.now())
  const issueChallenge = (purpose: string, subject: string, challenge: string) =>
    auth.oneTime.create(purpose, subject, { expiresIn: CHALLENGE_LIFE, data: { challenge } })
  const redeem = async (purpose: string, token: unknown) => {
    const { subject, data } = await auth.oneTime.redeem(purpose, typeof token === 'string' ? token : '')
    return { subject, expectedChallenge: String(data['challenge']) }
  }

  return {
    async list(username) {
      return (await table.findAll(username)).map(({ id, user_agent, created_at, last_used_at }) => ({
        id,
        user_agent,
        created_at: Number(created_at),
        last_used_at: Number(last_used_at),
      }))
    },
    async begin(site) {
      const { generateAuthenticationOptions } = await loadLibrary()
      const options = await generateAuthenticationOptions({
        rpID: hostOf(site),
        userVerification: 'required',
      })
      return { options, challenge: await issueChallenge('passkey', 'anyone', options.challenge) }
    },
    async verify({ passkey, challenge }, site) {
      const response = passkey as AuthenticationResponseJSON
      const known = isId(response?.id) ? await table.find(response.id) : undefined
      if (known === undefined) return null
      const counter = await verifyResponse(known, response, async () => ({
        expectedChallenge: (await redeem('passkey', challenge)).expectedChallenge,
        expectedOrigin: site.origin,
        expectedRPID: hostOf(site),
      }))
      if (counter === null) return null
      // It may have been removed at this moment.
      const isThere = await table.use(known.id, { counter, last_used_at: now() })
      return isThere ? known.username : null
    },
    async beginToAdd(username, site) {
      const rows = await table.findAll(username)
      if (rows.length >= MOST)
        throw new AuthError('request_invalid', { message: `A user has at most ${MOST} passkeys` })
      const { generateRegistrationOptions } = await loadLibrary()
      const options = await generateRegistrationOptions({
        rpName: 'Tokenwright',
        rpID: hostOf(site),
        userName: username,
        // At most 64 bytes, which names may exceed.
        userID: new Uint8Array(createHash('sha256').update(username).digest()),
        excludeCredentials: rows.map(({ id }) => ({ id })),
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      })
      return { options, challenge: await issueChallenge('add-passkey', username, options.challenge) }
    },
    async add(username, { passkey, challenge, userAgent }, site) {
      const { subject, expectedChallenge } = await redeem('add-passkey', challenge).catch(refuseChallenge)
      if (subject !== username) throw refuse()
      const { id, publicKey, counter } = await verifyRegistration(
        passkey as RegistrationResponseJSON,
        expectedChallenge,
        site,
      )
      const row = {
        id,
        username,
        public_key: Buffer.from(publicKey).toString('base64url'),
        counter,
        user_agent: userAgent.slice(0, 256),
        created_at: now(),
        last_used_at: now(),
      }
      if ((await table.find(id)) !== undefined) throw refuse()
      await table.insert(row)
    },
    remove: async (username, id) => isId(id) && table.remove(username, id),
  }
}

/** What the response to a challenge must match. */
interface Expected {
  readonly expectedChallenge: string
  readonly expectedOrigin: string
  readonly expectedRPID: string
}

/** The counter after a response by a known passkey; null where the response is wrong. */
async function verifyResponse(
  { id, public_key, counter }: PasskeyRow,
  response: AuthenticationResponseJSON,
  expect: () => Promise<Expected>,
): Promise<number | null> {
  const { verifyAuthenticationResponse } = await loadLibrary()
  const publicKey = new Uint8Array(Buffer.from(public_key, 'base64url'))
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      ...(await expect()),
      response,
      credential: { id, publicKey, counter: Number(counter) },
    })
    return verified ? authenticationInfo.newCounter : null
  } catch (error) {
    // The library throws for what it does not accept. An outage of the store is no wrong passkey.
    if (isAuthError(error) && error.status === 503) throw error
    return null
  }
}

async function verifyRegistration(response: RegistrationResponseJSON, expectedChallenge: string, site: Site) {
  const { verifyRegistrationResponse } = await loadLibrary()
  const { registrationInfo } = await verifyRegistrationResponse({
    response,
    expectedChallenge,
    expectedOrigin: site.origin,
    expectedRPID: hostOf(site),
  }).catch(() => ({ registrationInfo: undefined }))
  if (registrationInfo === undefined) throw refuse()
  return registrationInfo.credential
}

/**
 * Refuses a challenge with 400: a 401 would tell the client that its own tokens are not good. An
 * outage stays one.
 */
function refuseChallenge(error: unknown): never {
  throw isAuthError(error) && error.status === 401 ? refuse(error) : error
}

function refuse(cause?: unknown): AuthError {
  return new AuthError('request_invalid', { message: 'The passkey was not accepted. Try again', cause })
}

/** Whether a value can be the ID of a passkey: not all texts can be sent to all databases. */
function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{1,1364}$/.test(value)
}

/** The relying party's ID: passkeys belong to a domain, whatever the port. */
function hostOf({ origin }: Site): string {
  return new URL(origin).hostname
}
