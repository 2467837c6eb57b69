/*
 * The web page of the reference server: the journey of a token, live. This file connects the
 * session (the tokens in memory), the actions (all calls to the server) and the panels.
 *
 * To add a panel, add a section to page.html, a module with `createX(session, actions)` that calls
 * `session.watch` and `actions.perform`, and one line here.
 */

import { createAccount, focusSignIn } from './account.ts'
import { createActions } from './actions.ts'
import { send } from './api.ts'
import { createClock } from './countdown.ts'
import { createStepUpDialog } from './dialog.ts'
import { find, write } from './element.ts'
import { createJournal } from './journal.ts'
import { createJourney } from './journey.ts'
import { createReplay } from './replay.ts'
import { createResultBox } from './result-box.ts'
import { createRoutes } from './routes.ts'
import { createSession, type Session } from './session.ts'
import { createSessions } from './sessions.ts'
import { createTokenPanel } from './token-panel.ts'

const session = createSession()
const actions = createActions(session, {
  askPassword: createStepUpDialog(session),
  show: createResultBox(session, (offer, call) => {
    if (offer !== 'sign-in') return void actions.takeOffer(offer, call)
    session.clear()
    focusSignIn()
  }),
})

actions.listen(createJournal())
createAccount(session, actions)
createRoutes(session, actions)
createTokenPanel(session)
createClock(session)
createSessions(session, actions)
createReplay(session, actions)
actions.listen(createJourney(session))
void showServer(session)

/** Shows the state of the server, and reads its settings. Without a response, the defaults stay. */
async function showServer(session: Session): Promise<void> {
  const health = await send({ method: 'GET', path: '/healthz' })
  const { access, freshness, overlap = session.settings.overlap, demo } = health.body
  if (typeof access === 'number' && typeof freshness === 'number' && typeof overlap === 'number') {
    session.settings = { access, freshness, overlap }
  }
  const { settings } = session
  find('server', HTMLElement).dataset['state'] = health.ok ? 'up' : 'down'
  find('demo-users', HTMLElement).hidden = demo === false
  const times = `tokens last ${toWords(settings.access)}, fresh for ${toWords(settings.freshness)}`
  write(find('server-text', HTMLElement), health.ok ? `Server up: ${times}` : health.message)
}

function toWords(seconds: number): string {
  if (seconds >= 3600 && seconds % 3600 === 0) return `${seconds / 3600} h`
  return seconds >= 60 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}
