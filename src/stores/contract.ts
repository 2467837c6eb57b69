/**
 * Entry point `tokenwright/stores/contract`: what a session store must do, for authors of one. It
 * has the records, the two contracts with the atomicity of each method, and the rotation decision
 * as a pure function. It opens no connection and stores nothing. `tokenwright-store-suite` has the
 * tests that such a store must pass.
 */
export {
  decideRotation,
  isWriting,
  type RotationRecord,
  toIdleEnd,
  toLastSeen,
  toLate,
  toLateBefore,
  toReuseReason,
} from '../session/rotation.ts'
export type { NewSession, RevokeReason, SessionOwner, SessionRow } from '../session/session-row.ts'
export type {
  Attempt,
  AttemptCount,
  AttemptForget,
  CountedAttempts,
  CountedTogether,
  EndAllCall,
  LimitedStart,
  LogEntry,
  LogPage,
  RevocationQuery,
  RevocationStore,
  RevokeCall,
  RotateCall,
  Rotation,
  RotationPolicy,
  RotationWord,
  SessionLimit,
  SessionStore,
  Sighting,
  StepUp,
  StepUpCall,
  Store,
  StoreWarning,
  UpdateCall,
} from '../session/store.ts'
export { KEPT_AFTER_END, MOST_LISTED } from '../session/store.ts'
export {
  type AttemptsRecord,
  type CutOffRecord,
  type EntryRecord,
  hashOwner,
  hashText,
  type RecordPage,
  type SessionRecord,
  type StoreRecord,
  type StoreTransfer,
  type WriteCall,
} from '../session/transfer.ts'
