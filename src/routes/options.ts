/** The options of `authRoutes`: their types, names and checks. */
import type { Delivery } from '../http/token-response.ts'
import { ConfigurationError, expected } from '../internal/configuration-error.ts'
import { keysOf } from '../internal/read-options.ts'
import type { StandardSchema } from '../internal/schema.ts'
import type { ClientAddress } from './client-address.ts'
import type { MayRevoke, VerifyClient } from './clients.ts'
import type { CorsOptions } from './cors.ts'
import type { Credentials, VerifyCredentials, VerifyStepUp } from './credentials.ts'
import type { ThrottleOptions } from './throttle/throttle.ts'
import type { UsernameOf } from './usernames.ts'

/** The options of `authRoutes`. */
export interface AuthRoutesOptions<C, I = C, B = Credentials> {
  /**
   * Checks the credentials of a login: a user, null when they are wrong, or `{ next, subject }`
   * where one more proof is wanted. Take the same time for unknown users. What it throws goes to
   * the caller of the handler, except an `AuthError`, which becomes the response. Any other result
   * is a `ConfigurationError`: the response is 500, the attempt counts as a failure, and the
   * process warns once. After 10 s without a result the response is 503 `store_unavailable`.
   */
  readonly verifyCredentials: VerifyCredentials<I, B>
  /**
   * A schema for the body of a login, as a Standard Schema: `verifyCredentials` gets its output,
   * and a body that it refuses is a 400 with the names of the members. Default: a username and a
   * password, or other members.
   */
  readonly credentials?: StandardSchema<unknown, B>
  /**
   * Checks the proof of `POST {base}/step-up`: `{ amr, acr }`, null when it is wrong, or `{ next }`
   * where one more is wanted. It gets the body and the user's access token. 10 s at most. Default:
   * `verifyCredentials`, with the name of the login; it must return the same subject.
   */
  readonly verifyStepUp?: VerifyStepUp<C>
  /**
   * The username behind a token, for checking a password again. Default: the name of the login,
   * which the token has as `login_name` where it is not its `sub`. With this option it has none.
   */
  readonly usernameOf?: UsernameOf<C>
  /**
   * The client's address, for limits by address and for the list of sessions. Default: that of the
   * connection, as `toNodeHandler` or the second argument of the handler says it; behind a proxy,
   * read its header here. Undefined: no limit by address, with one warning. 5 s at most.
   */
  readonly address?: ClientAddress
  /**
   * How often passwords may be tried, at login and step-up together: 5 failures of an account from
   * one address, then waits that double up to 15 minutes; 100 consecutive failures of an account;
   * 20 failures a minute of an address (docs/guide/login.md). False for no limit. Default: counted
   * in the session store, or without one in the memory of this process.
   */
  readonly throttle?: ThrottleOptions | false
  /**
   * Checks the clients that may introspect and revoke tokens, and follow revocations: resource
   * servers. With it there are `POST {base}/introspect` (RFC 7662) and, with a session store,
   * `POST {base}/revoke` (RFC 7009) and `GET {base}/revocations`.
   * Compare secrets in constant time. Default: no such routes.
   */
  readonly verifyClient?: VerifyClient
  /**
   * Whether a client may revoke a token: by RFC 7009 one that was issued to it. Any result but true
   * is no. 5 s at most. Default: tokens whose custom claim `client_id`, or else whose audience, is
   * the client's identifier.
   */
  readonly mayRevoke?: MayRevoke<C>
  /** Which other origins may call the routes from a page. Default none. */
  readonly cors?: CorsOptions
  /**
   * Whether `GET /.well-known/oauth-authorization-server` says where the keys, introspection and
   * revocation are (RFC 8414), for services that find them by the issuer alone. The `issuer` of
   * `createAuth` must then be the URL at whose origin the routes lie. Default `false`.
   */
  readonly metadata?: boolean
  /** The path of the routes, without a trailing slash. Default `/auth`. */
  readonly basePath?: string
  /**
   * How tokens reach a client that does not ask for one way. Default `'cookie'` where that location
   * is on.
   */
  readonly delivery?: Delivery
}

/** The names of the options. */
export const ROUTE_OPTION_NAMES: readonly string[] = keysOf<AuthRoutesOptions<unknown>>({
  verifyCredentials: true,
  credentials: true,
  verifyStepUp: true,
  usernameOf: true,
  address: true,
  basePath: true,
  delivery: true,
  throttle: true,
  verifyClient: true,
  mayRevoke: true,
  cors: true,
  metadata: true,
})

/** Checks the schema of credentials. @throws {ConfigurationError} for anything else */
export function checkCredentialsSchema(schema: unknown): void {
  if (schema === undefined || typeof Object(Object(schema)['~standard']).validate === 'function') return
  throw new ConfigurationError(
    expected('credentials', 'a Standard Schema, such as one of zod, valibot or arktype', schema),
  )
}
