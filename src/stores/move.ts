/**
 * Entry point `tokenwright/stores/move`: brings sessions, revocations and counted attempts from one
 * store to another, of the same kind or not. `copyStore` copies while the application stands still.
 * `moveStore` is a store itself: with it they move while the application runs, and no user is
 * signed out.
 */
export type { CopyProgress, CopyResult } from './move/copy-run.ts'
export { type CopyOptions, copyStore } from './move/copy-store.ts'
export { type MoveOptions, moveStore } from './move/move-store.ts'
