/**
 * What handlers write: `@CurrentToken()` and `@CurrentSubject()` for what a guard has found,
 * `@Public()` for what a guard further out leaves open. Parameter decorators cannot see the
 * parameter's type: write `TokenOf<typeof auth>` there.
 */
import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common'
import type { AuthInternals } from '../../auth/auth.ts'
import { readFound } from './context.ts'

/** Where `@Public()` leaves its mark, for those who read it by Nest's `Reflector`. */
const PUBLIC = 'tokenwright:public'

/** Where Nest's `@UseGuards()` keeps its list, on the handler or on the class. */
const GUARDS = '__guards__'

/** `reflect-metadata`, which Nest brings. */
const metadata = Reflect as typeof Reflect & { getMetadata(key: string, target: object): unknown }

/** As much of an `Auth` as tells its own payloads from those of others. */
interface Verifying {
  /** Its members for adapters. */
  readonly internals: Pick<AuthInternals<never>, 'hasVerified'>
}

/** What the decorators are given. */
type Reading = Verifying | undefined

/**
 * The payload that the guard before this handler has verified; null behind `optional()` without a
 * token. In WebSocket contexts it is the client's.
 *
 * The parameter's type is `TokenOf<typeof auth>`, or that and null. Without a guard the request
 * fails with a `ConfigurationError`.
 *
 * @param auth where there are several `createAuth`: a payload that another one has verified fails
 *   the request with a `ConfigurationError`
 */
export const CurrentToken: (auth?: Verifying) => ParameterDecorator = createParamDecorator(
  (auth: Reading, context: ExecutionContext): unknown =>
    readFound(context, 'auth', 'guard.access()', auth?.internals.hasVerified),
)

/**
 * The user that `guard.subject()` has loaded by the `subject` option.
 *
 * The parameter's type is `SubjectOf<typeof auth>`. Without that guard the request fails with a
 * `ConfigurationError`.
 *
 * @param auth as for `CurrentToken`
 */
export const CurrentSubject: (auth?: Verifying) => ParameterDecorator = createParamDecorator(
  (auth: Reading, context: ExecutionContext): unknown =>
    readFound(context, 'subject', 'guard.subject()', auth?.internals.hasVerified),
)

/**
 * Leaves a handler, or all handlers of a class, open: guards that stand further out let every
 * request pass and look at no token. On a handler it opens the guards of its class and of the
 * application, on a class those of the application (`APP_GUARD`). A guard that stands on the
 * handler itself always guards it. What is marked when a handler is first called for is what
 * counts.
 */
export const Public: () => ClassDecorator & MethodDecorator = () => SetMetadata(PUBLIC, true)

/**
 * Whether a guard stands in a list of `@UseGuards()`, by itself or as the class that Nest made it
 * from.
 */
function isNamed(target: object, guard: object): boolean {
  const list = metadata.getMetadata(GUARDS, target)
  return Array.isArray(list) && (list.includes(guard) || list.includes(guard.constructor))
}

/**
 * Whether `@Public()` opens a handler to a guard. The guard that stands closer to the handler than
 * the mark goes on guarding.
 */
function isOpenTo(guard: object, handler: object, owner: object): boolean {
  const isHandlerOpen = metadata.getMetadata(PUBLIC, handler) === true
  if (!isHandlerOpen && metadata.getMetadata(PUBLIC, owner) !== true) return false
  return !isNamed(handler, guard) && (isHandlerOpen || !isNamed(owner, guard))
}

/**
 * The handlers that `@Public()` opens to one guard. A handler is asked about once, as its marks are
 * made when its class is declared: to read them takes longer than to look up a token.
 */
export class PublicHandlers {
  readonly #guard: object
  readonly #known = new WeakMap<object, { readonly owner: object; readonly isOpen: boolean }>()

  /** @param guard what `@UseGuards()` was given */
  constructor(guard: object) {
    this.#guard = guard
  }

  /** Whether the handler of a context is open. */
  has(context: ExecutionContext): boolean {
    const handler = context.getHandler()
    const owner = context.getClass()
    const known = this.#known.get(handler)
    // Classes that inherit a handler may be marked differently.
    if (known?.owner === owner) return known.isOpen
    const isOpen = isOpenTo(this.#guard, handler, owner)
    this.#known.set(handler, { owner, isOpen })
    return isOpen
  }
}
