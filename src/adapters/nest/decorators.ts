/**
 * The decorators for handlers: `@CurrentToken()` and `@CurrentSubject()` read the result of a
 * guard, `@Public()` switches off guards further out. Parameter decorators cannot see the
 * parameter's type: write `TokenOf<typeof auth>` there.
 */
import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common'
import type { AuthInternals } from '../../auth/auth.ts'
import { readFromHost } from './context.ts'

/** The metadata key of `@Public()`, also for applications that read it with Nest's `Reflector`. */
const PUBLIC = 'tokenwright:public'

/** The metadata key of the list of Nest's `@UseGuards()`, on the handler or on the class. */
const GUARDS = '__guards__'

/** `reflect-metadata`, which Nest loads. */
const metadata = Reflect as typeof Reflect & { getMetadata(key: string, target: object): unknown }

/** The part of an `Auth` that recognizes its own payloads. */
interface Verifying {
  /** Its members for adapters. */
  readonly internals: Pick<AuthInternals<never>, 'hasVerified'>
}

/** The argument of the decorators. */
type Reading = Verifying | undefined

/**
 * The payload that the guard before this handler has verified; null behind `optional()` without a
 * token. In WebSocket contexts it is the client's.
 *
 * The parameter's type is `TokenOf<typeof auth>`, or that and null. Without a guard the request
 * fails with a `ConfigurationError`.
 *
 * @param auth for processes with several `createAuth`: a payload that another one has verified
 *   fails the request with a `ConfigurationError`
 */
export const CurrentToken: (auth?: Verifying) => ParameterDecorator = createParamDecorator(
  (auth: Reading, context: ExecutionContext): unknown =>
    readFromHost(context, 'auth', 'guard.access()', auth?.internals.hasVerified),
)

/**
 * The user that `guard.subject()` has loaded with the `subject` option.
 *
 * The parameter's type is `SubjectOf<typeof auth>`. Without that guard the request fails with a
 * `ConfigurationError`.
 *
 * @param auth as for `CurrentToken`
 */
export const CurrentSubject: (auth?: Verifying) => ParameterDecorator = createParamDecorator(
  (auth: Reading, context: ExecutionContext): unknown =>
    readFromHost(context, 'subject', 'guard.subject()', auth?.internals.hasVerified),
)

/**
 * Makes a handler, or all handlers of a class, public: guards further out let every request pass
 * and read no token. On a handler it switches off the guards of its class and of the application,
 * on a class those of the application (`APP_GUARD`). A guard on the handler itself always runs. The
 * marks count that exist when a handler is first called.
 */
export const Public: () => ClassDecorator & MethodDecorator = () => SetMetadata(PUBLIC, true)

/** Whether a list of `@UseGuards()` has a guard, or the class from which Nest made it. */
function isNamed(target: object, guard: object): boolean {
  const list = metadata.getMetadata(GUARDS, target)
  return Array.isArray(list) && (list.includes(guard) || list.includes(guard.constructor))
}

/**
 * Whether `@Public()` switches a guard off for a handler. A guard closer than the mark still runs.
 */
function isOpenTo(guard: object, handler: object, owner: object): boolean {
  const isHandlerOpen = metadata.getMetadata(PUBLIC, handler) === true
  if (!isHandlerOpen && metadata.getMetadata(PUBLIC, owner) !== true) return false
  return !isNamed(handler, guard) && (isHandlerOpen || !isNamed(owner, guard))
}

/**
 * The handlers for which `@Public()` switches one guard off. The marks of a handler exist when its
 * class is declared, so they are read once: reading takes longer than a look-up of a token.
 */
export class PublicHandlers {
  readonly #guard: object
  readonly #known = new WeakMap<object, { readonly owner: object; readonly isOpen: boolean }>()

  /** @param guard the argument of `@UseGuards()` */
  constructor(guard: object) {
    this.#guard = guard
  }

  /** Whether the handler of a context is public. */
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
