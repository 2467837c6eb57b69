/*
 * The theft of a refresh token. A phone and a thief, both real: the phone is a client of its own
 * that signs in without cookies, so that its token can be copied. The server replaces the token at
 * each use. When an old one comes back, someone has a copy, and the session ends.
 */

import { createAuthClient } from 'tokenwright/client'
import type { Actions } from './actions.ts'
import { type Json, send } from './api.ts'
import { BASE_URL, HAS_DEMO } from './base.ts'
import { connectPlay, findSides, pause } from './demo.ts'
import { find, findIn, write } from './element.ts'
import { createRecorder, REFRESH_PATH } from './recorder.ts'
import { shorten } from './token.ts'

/** Seconds between two steps, so that one can read along. */
const PACE = 1.6
/** A token that is younger than this is kept, so the next use does not replace it. In seconds. */
const YOUNG = 2.2
const USERS = ['test', 'admin'] as const

const BEFORE = 'This takes ten seconds and uses a session of its own.'

/** Connects #theft. */
export function createTheftDemo(actions: Actions): void {
  const text = find('theft-text', HTMLElement)
  const button = find('theft-play', HTMLButtonElement)
  const [phone, thief] = findSides('theft-pair')
  if (!phone || !thief) return
  const phoneToken = findIn(phone.root, 'code')
  const stolenToken = findIn(thief.root, 'code')
  const story = [...find('theft-story', HTMLElement).querySelectorAll('li')]
  write(text, HAS_DEMO ? BEFORE : 'This demo needs the demo users, which this server does not have.')

  const tell = async (step: number): Promise<void> => {
    for (const [index, line] of story.entries())
      line.dataset['state'] = index < step ? 'done' : index === step ? 'now' : 'ahead'
    write(text, story[step]?.textContent ?? '')
    await pause(PACE)
  }

  const play = async (): Promise<void> => {
    const device = openPhone(actions, (token) => write(phoneToken, shorten(token)))
    thief.state('Waiting', 'idle')
    thief.say('')
    phone.say('')
    write(stolenToken, 'none')
    if (!(await device.signIn())) {
      write(text, 'The demo users have new passwords, or the server cannot be reached.')
      return
    }
    phone.state('Signed in', 'good')
    await tell(0)
    const stolen = device.token()
    write(stolenToken, shorten(stolen))
    thief.state('Has a copy', 'warn')
    await tell(1)
    phone.say('Refreshes.')
    const goesOn = device.goOn()
    await tell(2)
    await goesOn
    thief.say('Sends the copy.')
    await tell(3)
    const isRefused = await useStolen(stolen, actions)
    thief.state(isRefused ? 'Refused' : 'Let in', isRefused ? 'good' : 'bad')
    thief.say(isRefused ? 'Got no token.' : 'Got a token.')
    await tell(4)
    const isOver = await device.isOver()
    phone.state(isOver ? 'Signed out' : 'Signed in', isOver ? 'warn' : 'good')
    phone.say(isOver ? 'Asks you to sign in.' : '')
    await tell(5)
    for (const line of story) line.dataset['state'] = 'done'
    write(
      text,
      isRefused && isOver ? 'The copy was worth nothing, and you know of the theft.' : 'That went wrong.',
    )
  }
  connectPlay(button, 'Play it again', play)
}

/** A phone: it keeps its tokens itself and knows nothing of the cookies of this page. */
function openPhone(actions: Actions, show: (token: string) => void) {
  const recorder = createRecorder()
  let token = ''
  const client = createAuthClient({
    baseUrl: BASE_URL,
    delivery: 'body',
    platform: { fetch: (input, init) => recorder.fetch(input, { ...init, credentials: 'omit' }) },
  })
  recorder.listen(({ call, result }) => {
    const next = refreshTokenOf(result.body)
    if (next !== undefined) {
      token = next
      show(token)
    }
    actions.report({ call, result, note: 'by the phone' })
  })
  return {
    token: () => token,
    async signIn(): Promise<boolean> {
      for (const user of USERS) {
        const credentials = { username: user, password: user }
        if (await succeeds(client.login(credentials))) return true
      }
      return false
    },
    /** Refreshes until the token has been replaced twice. */
    async goOn(): Promise<void> {
      for (let replaced = 0; replaced < 2; ) {
        const before = token
        if (!(await succeeds(client.refresh()))) return
        if (token !== before) replaced++
        if (replaced < 2) await pause(YOUNG)
      }
    },
    /** Sends a request, which tells the phone whether its session is over. */
    async isOver(): Promise<boolean> {
      await succeeds(client.fetch('/protected'))
      return client.state.status === 'signed-out'
    },
  }
}

/** The thief has no client and no cookies: only the token. */
async function useStolen(token: string, actions: Actions): Promise<boolean> {
  const call = { method: 'POST', path: REFRESH_PATH, token } as const
  const result = await send(call)
  actions.report({ call, result, note: 'by the thief' })
  return !result.ok
}

function refreshTokenOf({ refresh_token }: Json): string | undefined {
  return typeof refresh_token === 'string' ? refresh_token : undefined
}

function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  )
}
