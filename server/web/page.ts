/*
 * The web page of the reference server: what Tokenwright is, live. This file connects the session
 * (what the page knows), the actions (all calls to the server) and the panels.
 *
 * To add a panel, add a section to page.html, a module with `createX(session, actions)` that calls
 * `session.watch` and `actions.perform`, and one line here.
 */

import { createAccount } from './account.ts'
import { createAccountState } from './account-state.ts'
import { createActions } from './actions.ts'
import { connectCopy, createCode, createFile } from './code.ts'
import { createClock } from './countdown.ts'
import { createStepUpDialog } from './dialog.ts'
import { find, write } from './element.ts'
import { createJournal } from './journal.ts'
import { createJourney } from './journey.ts'
import { createNewPassword } from './new-password.ts'
import { createRequests } from './requests.ts'
import { createSecondStep } from './second-step.ts'
import { createSecurity } from './security.ts'
import { createSession } from './session.ts'
import { createSessions } from './sessions.ts'
import { DEMOS, SETUP } from './snippets.ts'
import { createTabsDemo } from './tabs-demo.ts'
import { createTheftDemo } from './theft-demo.ts'
import { createTokenPanel } from './token-panel.ts'

const session = createSession()
const requests = createRequests(session)
const account = createAccountState(session)
const actions = createActions(session, {
  askProof: createStepUpDialog(session, account),
  passkeys: () => account.passkeys.map(({ id }) => String(id)),
  show: requests.show,
})
const askNewPassword = createNewPassword(session, actions)

actions.listen(createJournal())
requests.connect(actions)
createAccount(session, actions)
createTokenPanel(session)
createClock(session)
createSessions(session, actions, askNewPassword)
createSecurity(session, account, actions, {
  changePassword: () => askNewPassword(),
  switchOn: createSecondStep(actions),
})
account.connect(actions)
actions.listen(createJourney(session))
createTabsDemo(session, actions)
createTheftDemo(actions)
createCode(find('tabs-code', HTMLElement), DEMOS.tabs)
createCode(find('theft-code', HTMLElement), DEMOS.theft)
createFile(find('setup-server', HTMLElement), 'server.ts', SETUP.server)
createFile(find('setup-client', HTMLElement), 'browser.ts', SETUP.client)
for (const button of document.querySelectorAll<HTMLButtonElement>('[data-copy]'))
  connectCopy(button, () => button.dataset['copy'] ?? '')
void showServer()

/** Shows whether the server works. */
async function showServer(): Promise<void> {
  const ok = await fetch('/healthz').then(
    (response) => response.ok,
    () => false,
  )
  find('server', HTMLElement).dataset['state'] = ok ? 'up' : 'down'
  write(find('server-text', HTMLElement), ok ? 'This server, live' : 'The server does not work at the moment')
}
