/* How long ago something was, in words. */

import type { Session } from './session.ts'

/** The time since a moment in epoch seconds, in the largest unit that fits. */
export function ago(at: unknown, session: Session): string {
  const seconds = typeof at === 'number' ? Math.max(0, session.now() - at) : 0
  if (seconds < 60) return 'just now'
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`
}
