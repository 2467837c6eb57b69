/*
 * Two tabs, one refresh. Each tab is a client of its own, as in a page of its own: they know of
 * each other only through Web Locks, a channel and the cookies. Both wait until their token has
 * ended, then send a request at the same moment. What the server gets is counted.
 */

import { createAuthClient } from 'tokenwright/client'
import { focusSignIn } from './account.ts'
import type { Actions } from './actions.ts'
import { BASE_URL } from './base.ts'
import { findLine, toClockTime } from './countdown.ts'
import { connectPlay, findSides, pause, type Side } from './demo.ts'
import { find, write } from './element.ts'
import { createRecorder, REFRESH_PATH } from './recorder.ts'
import type { Session } from './session.ts'

const PATH = '/protected'

interface Tab {
  /** Waits until the tab knows the session. */
  ready(): Promise<unknown>
  /** Seconds until its token ends; null when no one is signed in. */
  left(): number | null
  /** Sends one request. */
  call(): Promise<boolean>
}

/** Shows how many there were of something. */
function createCounter(id: string, one: string, many: string): (count: number) => void {
  const number = find(id, HTMLElement)
  const unit = find(`${id}-unit`, HTMLElement)
  return (count) => {
    write(number, String(count))
    write(unit, count === 1 ? one : many)
  }
}

/** Connects #tabs. */
export function createTabsDemo(session: Session, actions: Actions): void {
  const text = find('tabs-text', HTMLElement)
  const showCalls = createCounter('tabs-calls', 'request', 'requests')
  const showRefreshes = createCounter('tabs-refreshes', 'refresh', 'refreshes')
  const counts = { calls: 0, refreshes: 0 }
  const sides = findSides('tabs-pair').map((side) => ({ side, line: findLine(side.root, '.line') }))
  let tabs: readonly Tab[] = []

  const count = (path: string): void => {
    if (path === PATH) counts.calls++
    if (path === REFRESH_PATH) counts.refreshes++
    showCalls(counts.calls)
    showRefreshes(counts.refreshes)
  }
  const tick = (): void => {
    for (const [index, { side, line }] of sides.entries()) {
      const left = tabs[index]?.left()
      if (left === undefined) line.show('', { left: 0, total: 1 })
      else if (left === null) side.state('Signed out', 'bad')
      else {
        side.state(left > 0 ? 'Signed in' : 'Expired', left > 0 ? 'good' : 'warn')
        line.show(left > 0 ? `in ${toClockTime(left)}` : 'it has expired', { left, total: lifeOf(session) })
      }
    }
  }
  session.watch(() => write(text, describeStart(session.isSignedIn, tabs.length > 0)))
  setInterval(tick, 200)

  const play = async (): Promise<void> => {
    if (!session.isSignedIn) return focusSignIn()
    if (tabs.length === 0) tabs = sides.map(({ side }, index) => openTab(index, side, actions, count))
    await Promise.all(tabs.map((tab) => tab.ready()))
    counts.calls = counts.refreshes = 0
    count('')
    for (const { side } of sides) side.say('Waits.')
    write(text, 'Both tabs have the same token. Wait until it ends.')
    while (tabs.some((tab) => (tab.left() ?? 0) > 0)) await pause(0.1)
    write(text, 'The token has ended. Both tabs send a request, at the same moment.')
    await pause(0.8)
    const responses = await Promise.all(tabs.map((tab) => tab.call()))
    write(text, describeEnd(responses, counts.refreshes))
  }
  connectPlay(find('tabs-play', HTMLButtonElement), 'Again', play)
}

function openTab(index: number, side: Side, actions: Actions, count: (path: string) => void): Tab {
  const recorder = createRecorder()
  const client = createAuthClient({ baseUrl: BASE_URL, platform: { fetch: recorder.fetch } })
  recorder.listen(({ call, result }) => {
    count(call.path)
    if (call.path === REFRESH_PATH) side.say('Refreshes, for both tabs.')
    actions.report({ call, result, note: `by tab ${index + 1}` })
  })
  return {
    ready: () => client.ready,
    left() {
      const { expiresAt } = client.state
      return expiresAt === null ? null : Math.max(0, expiresAt - Date.now() / 1000)
    },
    async call() {
      side.say('Sends its request.')
      let refreshed = false
      const end = client.on('refreshed', () => {
        refreshed = true
      })
      const response = await client.fetch(PATH).catch(() => undefined)
      end()
      const isOk = response?.ok === true
      const how = refreshed ? 'Has the new token, and ' : ''
      side.say(isOk ? `${how}got its response.` : 'Got no response.')
      return isOk
    },
  }
}

/** The whole life of a token, for the bars. */
function lifeOf({ token }: Session): number {
  const { exp, iat } = token?.claims ?? {}
  return typeof exp === 'number' && typeof iat === 'number' ? exp - iat : 15
}

function describeStart(isSignedIn: boolean, isOpen: boolean): string {
  if (!isSignedIn) return 'Sign in at the top first.'
  return isOpen ? '' : 'They use the session that you have now.'
}

function describeEnd(responses: readonly boolean[], refreshes: number): string {
  if (!responses.every(Boolean)) return 'The session is over. Sign in and play it again.'
  if (refreshes === 0) return 'Both tabs got their response. Another tab had refreshed for them.'
  return `Both tabs got their response, and the server saw ${refreshes === 1 ? 'one refresh' : `${refreshes} refreshes`}.`
}
