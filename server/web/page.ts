/*
 * The web page of the reference server: the journey of a token, live. This file only wires: a
 * session (tokens, in memory), a conversation (every call, by the library's client), and the panels
 * that show both. To add a panel: a section in page.html, a module with `createX(session,
 * conversation)` that calls `session.watch` and `conversation.perform`, one line here.
 */

import { createAccount, focusSignIn } from './account.ts'
import { createAnatomy } from './anatomy.ts'
import { createAnswerBox } from './answer.ts'
import { send } from './api.ts'
import { createConversation } from './conversation.ts'
import { createClock } from './countdown.ts'
import { createStepUpDialog } from './dialog.ts'
import { find, write } from './element.ts'
import { createJournal } from './journal.ts'
import { createJourney } from './journey.ts'
import { createRoutes } from './routes.ts'
import { createSession, type Session } from './session.ts'
import { createSessions } from './sessions.ts'

const session = createSession()
const conversation = createConversation(session, {
  askPassword: createStepUpDialog(session),
  show: createAnswerBox(session, (offer, wish, refused) => {
    if (offer !== 'sign-in') return void conversation.follow(offer, wish, refused)
    session.clear()
    focusSignIn()
  }),
})

conversation.listen(createJournal())
createAccount(session, conversation)
createRoutes(session, conversation)
createAnatomy(session)
createClock(session)
createSessions(session, conversation)
conversation.listen(createJourney(session))
void greet(session)

/** Asks the server how it is and how long its tokens live; without an answer the defaults stay. */
async function greet(session: Session): Promise<void> {
  const health = await send({ method: 'GET', path: '/healthz' })
  const { access, freshness, overlap = session.settings.overlap, demo } = health.body
  if (typeof access === 'number' && typeof freshness === 'number' && typeof overlap === 'number') {
    session.settings = { access, freshness, overlap }
  }
  const { settings } = session
  find('server', HTMLElement).dataset['state'] = health.ok ? 'up' : 'down'
  find('demo-users', HTMLElement).hidden = demo === false
  const lengths = `access ${toWords(settings.access)}, fresh ${toWords(settings.freshness)}`
  write(find('server-text', HTMLElement), health.ok ? `Server up: ${lengths}` : health.message)
}

function toWords(seconds: number): string {
  if (seconds >= 3600 && seconds % 3600 === 0) return `${seconds / 3600} h`
  return seconds >= 60 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}
