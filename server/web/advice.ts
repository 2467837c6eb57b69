/*
 * What an error means for the user, and what they can do about it: one row for each `code` of the
 * library, and no code is without. Clients should look at the `code`, never only at the status: a
 * 401 has many kinds, which need four kinds of help.
 */

import type { ErrorCode } from 'tokenwright/client'
import type { Result } from './api.ts'

/** What the page can offer as a button. */
export type Offer = 'refresh' | 'step-up' | 'sign-in' | 'retry'

export interface Advice {
  readonly text: string
  readonly offer?: Offer
}

const ENDED: Advice = { text: 'This session is over. Sign in to start a new one.', offer: 'sign-in' }
const WRONG: Advice = {
  text: 'The server does not accept this token. Sign in to get a new one.',
  offer: 'sign-in',
}

const MISDIRECTED: Advice = {
  text: 'This token is for another service. Sign in here to get one of this server.',
  offer: 'sign-in',
}
const FORGED: Advice = {
  text: 'The request did not show that it comes from this page. Reload the page, and try again.',
}
const NOT_ALLOWED: Advice = {
  text: 'You are signed in, but may not do this. Nothing helps but another user.',
}
const DOWN: Advice = { text: 'The server cannot do this right now. You are still signed in.', offer: 'retry' }

/** The library's codes: one that is missing here does not compile. */
const ROWS: Readonly<Record<ErrorCode, Advice>> = {
  token_missing: { text: 'This route needs a token. Sign in to get one.', offer: 'sign-in' },
  request_invalid: { text: 'The server does not understand this request. Correct it, and try again.' },
  token_malformed: WRONG,
  signature_invalid: WRONG,
  token_expired: {
    text: 'The token has expired. Refresh to get a new one, and repeat the call.',
    offer: 'refresh',
  },
  token_not_active: {
    text: 'The token is good only later. Is the clock of the server right?',
    offer: 'retry',
  },
  issuer_invalid: MISDIRECTED,
  audience_invalid: MISDIRECTED,
  realm_mismatch: MISDIRECTED,
  access_token_required: WRONG,
  refresh_token_required: WRONG,
  subject_unknown: ENDED,
  token_revoked: ENDED,
  session_expired: ENDED,
  session_revoked: ENDED,
  refresh_reused: {
    text: 'Someone used an old refresh token again. This looks like theft, so the session has ended. Sign in again.',
    offer: 'sign-in',
  },
  fresh_token_required: {
    text: 'Your token is valid, but not fresh. Confirm that it is you, and you get a fresh one.',
    offer: 'step-up',
  },
  csrf_missing: FORGED,
  csrf_mismatch: FORGED,
  credentials_invalid: { text: 'Check both and try again.' },
  proof_required: { text: 'The password is right. Enter a code to go on.' },
  continuation_invalid: { text: 'This took too long. Start again.' },
  client_invalid: { text: 'The server does not know this client, or not with this secret.' },
  scope_missing: {
    text: 'You are signed in, but your token does not list the right to do this. Nothing helps but another user.',
  },
  access_denied: NOT_ALLOWED,
  subject_mismatch: { text: 'This is the password of another user.' },
  session_limit_reached: {
    text: 'You are signed in on too many devices. End a session on one of them, then sign in here.',
  },
  rate_limited: { text: 'Too many attempts.' },
  store_unavailable: {
    text: 'The server cannot reach its database. You are still signed in.',
    offer: 'retry',
  },
  issuer_unavailable: DOWN,
}

/** What the page finds out by itself. */
const OWN_ROWS: Readonly<Record<string, Advice>> = {
  unreachable: { text: 'Is the server still running? You are still signed in here.', offer: 'retry' },
}

/** The advice for an error. */
export function adviseOn(result: Result): Advice {
  const code = result.code ?? ''
  const row = Object.hasOwn(ROWS, code) ? ROWS[code as ErrorCode] : OWN_ROWS[code]
  if (result.status === 429) return { text: `Too many attempts. ${whenAgain(result)}` }
  if (result.status === 503)
    return { text: `The server cannot do this right now. ${whenAgain(result)}`, ...row }
  if (row) return row
  if (result.status === 401) return WRONG
  if (result.status >= 500) return { text: 'Something went wrong on the server.', offer: 'retry' }
  return { text: 'The server refused this request.' }
}

/** When a refused attempt may be repeated. */
export function whenAgain(result: Result): string {
  const seconds = result.retryAfter
  if (seconds === undefined) return 'Try again later.'
  const minutes = Math.ceil(seconds / 60)
  return seconds < 90 ? `Try again in ${Math.ceil(seconds)} s.` : `Try again in ${minutes} minutes.`
}
