/*
 * Shows what happens to an old refresh token. The previous one still works, as a second tab or a
 * lost response may need it. An older one looks like theft, and ends the session. See
 * docs/decisions/0021-shadowed-sessions.md.
 */

import type { Actions } from './actions.ts'
import { find, write } from './element.ts'
import type { Session } from './session.ts'

/** How long the server keeps issuing the same refresh token, in overlaps. */
const KEPT_OVERLAPS = 2

const REPLAYED =
  'You got the same new refresh token again, and a new access token. So two tabs that refresh at once stay signed in.'
const REUSED = 'The server still accepts this token.'

/** Connects the two buttons that send an old refresh token, and the text that says what happens. */
export function createReplay(session: Session, actions: Actions): void {
  const previous = find('replay', HTMLButtonElement)
  const older = find('replay-older', HTMLButtonElement)
  const forecast = find('replay-forecast', HTMLElement)
  /** One token of each earlier generation, the newest first. */
  let replaced: readonly string[] = []
  let replacedAt = 0
  let held = ''

  const update = (): void => {
    previous.disabled = replaced.length < 1
    older.disabled = replaced.length < 2
    const { overlap } = session.settings
    const wait = Math.ceil(replacedAt + KEPT_OVERLAPS * overlap - session.now())
    write(forecast, describeReplay(replaced.length, overlap === 0, wait))
  }
  session.watch(() => {
    const next = session.tokens?.refresh ?? ''
    if (next === held) return
    if (session.previous === undefined) replaced = []
    else if (isNextGeneration(session)) {
      replaced = [held, ...replaced]
      replacedAt = session.now()
    }
    held = next
    update()
  })
  previous.addEventListener('click', () => void actions.replay(replaced[0] ?? '', REPLAYED))
  older.addEventListener('click', () => void actions.replay(replaced[1] ?? '', REUSED))
  setInterval(update, 500)
  update()
}

/** @param wait seconds until a refresh issues the next refresh token */
function describeReplay(count: number, isSingleUse: boolean, wait: number): string {
  if (count === 0) return 'Press Refresh first. Then you have a previous refresh token.'
  if (isSingleUse)
    return 'Each refresh token works once. Using an old one looks like theft, and ends the session.'
  const works = 'The previous one still works, for a second tab or a lost response.'
  if (count > 1) return `${works} An older one looks like theft, and ends the session.`
  return `${works} To get an older one, press Refresh again${wait > 0 ? ` in ${wait} s` : ''}.`
}

/** Whether the last change was a rotation. A step-up issues a token of the same generation. */
function isNextGeneration({ tokens, previous }: Session): boolean {
  const before = previous?.refreshToken?.claims['jti']
  return before !== undefined && before !== tokens?.refreshToken?.claims['jti']
}
