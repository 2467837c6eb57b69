/**
 * Connects the sessions in a store to their application: its tokens, users and listeners.
 */
import type { Diagnostics } from '../internal/diagnostics.ts'
import { emit, hasListener } from '../internal/listeners.ts'
import { createSessionBackend, type SessionBackend } from '../session/session-backend.ts'
import type { AuthEvents } from './events.ts'
import type { TokenIssuer } from './issue-tokens.ts'
import { checkSubject } from './load-subject.ts'
import type { Settings } from './resolve-options.ts'

/** Connects them; null without a store. */
export function connectBackend<C, U>(
  settings: Settings<C, U>,
  issuer: TokenIssuer<C>,
  diagnostics: Diagnostics,
): SessionBackend<C> | null {
  const { store, clock, ownClock, on } = settings
  return (
    store &&
    createSessionBackend(store, {
      issue: (claims) => issuer.issue(claims),
      clock,
      ownClock,
      checkSubject: (payload) => checkSubject(payload, settings),
      storeCalls: diagnostics.operation('tokenwright:store'),
      emit: ({ kind, ...notice }) => emit<AuthEvents, typeof kind>(on, kind, notice),
      emitLost: (lost) => emit(on, 'lost', lost),
      newDevice: {
        hasListener: () => hasListener(on, 'newDevice'),
        emit: (event) => emit(on, 'newDevice', event),
      },
    })
  )
}
