/** Loads the user of a payload by the option `subject`, within a deadline. */
import { AuthError } from '../errors.ts'
import { ConfigurationError } from '../internal/configuration-error.ts'
import { toOutage } from '../internal/outage.ts'
import { withDeadline } from '../internal/with-deadline.ts'
import type { TokenPayload } from '../token/token-payload.ts'
import type { Settings } from './resolve-options.ts'

/** How long the option `subject` may take, in seconds. */
const DEADLINE = 5

/** Refuses a user who is gone, where the application can tell. */
export async function checkSubject<C, U>(
  payload: TokenPayload<C>,
  { subject }: Settings<C, U>,
): Promise<void> {
  if (subject !== null) await loadSubject(payload, subject)
}

/** Loads a user, and distinguishes an unknown one from a loader that failed. */
export async function loadSubject<C, U>(
  payload: TokenPayload<C>,
  load: ((payload: TokenPayload<C>) => U | null | undefined | Promise<U | null | undefined>) | null,
): Promise<U> {
  if (load === null) throw new ConfigurationError('Expected the option `subject`: nothing else loads a user')
  let subject: U | null | undefined
  try {
    subject = await withDeadline('subject', DEADLINE, () => load(payload))
  } catch (error) {
    throw toOutage(error, 'The option `subject` could not load the user')
  }
  if (subject === null || subject === undefined) throw new AuthError('subject_unknown')
  return subject
}
