/*
 * What an error means for the person in front of the page, and what could be done about it: one row
 * per `code` of the server. Codes without a row of their own get one by status. Clients should key
 * on `code`, never on the status alone: seven kinds of 401 want four kinds of help.
 */

import type { Answer } from './api.ts'

/** A way out that the page can offer as a button. */
export type Offer = 'refresh' | 'step-up' | 'sign-in' | 'retry'

export interface Advice {
  readonly text: string
  readonly offer?: Offer
}

const ENDED: Advice = { text: 'This session is over. Sign in to start a new one.', offer: 'sign-in' }
const WRONG: Advice = {
  text: 'The server does not accept this token. Sign in to get another.',
  offer: 'sign-in',
}

const ROWS: Readonly<Record<string, Advice>> = {
  token_missing: { text: 'This route wants a token and none was sent.', offer: 'sign-in' },
  token_expired: {
    text: 'Its time is up. The refresh token gets a new one, then the call can be repeated.',
    offer: 'refresh',
  },
  token_malformed: WRONG,
  signature_invalid: WRONG,
  access_token_required: WRONG,
  subject_unknown: ENDED,
  token_revoked: ENDED,
  session_expired: ENDED,
  session_revoked: ENDED,
  refresh_reused: {
    text: 'An old refresh token was used again, which looks like theft, so the whole session was ended. Sign in again.',
    offer: 'sign-in',
  },
  fresh_token_required: {
    text: 'The token is valid, but the password was not checked recently enough for this route.',
    offer: 'step-up',
  },
  credentials_invalid: { text: 'Check both and try again.' },
  subject_mismatch: { text: 'The password of another user does not count here.' },
  store_unavailable: { text: 'The server cannot reach its store. You are still signed in.', offer: 'retry' },
  unreachable: { text: 'Is it still running? Nothing changed here: your tokens are kept.', offer: 'retry' },
}

/** The advice for a refusal. */
export function adviseOn(answer: Answer): Advice {
  if (answer.code === 'scope_missing') return { text: describeScope(answer) }
  if (answer.status === 429) return { text: `Too many attempts. ${whenAgain(answer)}` }
  if (answer.status === 503)
    return { text: `The server cannot do this just now. ${whenAgain(answer)}`, ...ROWS[answer.code ?? ''] }
  const row = ROWS[answer.code ?? '']
  if (row) return row
  if (answer.status === 401) return WRONG
  if (answer.status >= 500) return { text: 'Something went wrong on the server.', offer: 'retry' }
  return { text: 'The server refused this request.' }
}

function describeScope(answer: Answer): string {
  const scope = answer.challenge?.parameters['scope']
  return `Signed in, but not allowed: the token lacks ${scope ? `the scope ${scope}` : 'a scope'}. A new token would not help.`
}

function whenAgain(answer: Answer): string {
  const seconds = answer.retryAfter
  if (seconds === undefined) return 'Try again later.'
  const minutes = Math.ceil(seconds / 60)
  return seconds < 90 ? `Try again in ${Math.ceil(seconds)} s.` : `Try again in ${minutes} minutes.`
}
