/*
 * Passkeys in the browser: asks the device for one, by the WebAuthn API alone. The server makes the
 * challenges and checks the results.
 */

import { whenAgain } from './advice.ts'
import { type Call, type Exchange, type Json, type Result, send } from './api.ts'
import { CHALLENGE_PATH } from './recorder.ts'

/** What a passkey proves, for a login or a step-up; or why there is no proof, for people. */
export type Proof = { readonly proof: Json } | { readonly problem: string }

/** Why this page cannot use passkeys, and where it can; undefined if it can. */
export function whyNoPasskeys(): { readonly text: string; readonly href?: string } | undefined {
  // Passkeys belong to a name: browsers offer none for an address of numbers.
  if (/^(?:\d+(?:\.\d+){3}|\[.*\])$/.test(location.hostname)) {
    const text = 'Passkeys need a site with a name.'
    const isHere = /^(?:127\.|\[::1\])/.test(location.hostname)
    return isHere ? { text, href: location.href.replace(location.hostname, 'localhost') } : { text }
  }
  if (typeof globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON === 'function') return undefined
  return { text: 'This browser does not support passkeys.' }
}

/**
 * Proves who the user is.
 *
 * @param report is told of the exchange with the server
 * @param allowed the passkeys that will do; any if empty
 */
export async function useAPasskey(
  report: (exchange: Exchange) => void,
  allowed: readonly string[] = [],
): Promise<Proof> {
  const call: Call = { method: 'POST', path: CHALLENGE_PATH }
  const result = await send(call)
  report({ call, result, note: 'so that the passkey has something to sign' })
  if (!result.ok) return { problem: describeRefusal(result) }
  const { options, challenge } = result.body
  const allowCredentials = allowed.map((id) => ({ type: 'public-key', id }))
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON({
    ...(options as PublicKeyCredentialRequestOptionsJSON),
    allowCredentials,
  })
  return ask(navigator.credentials.get({ publicKey }), challenge)
}

/** Creates a passkey on this device. @param body what the server says of it */
export function createAPasskey({ options, challenge }: Json): Promise<Proof> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    options as PublicKeyCredentialCreationOptionsJSON,
  )
  return ask(navigator.credentials.create({ publicKey }), challenge)
}

async function ask(wish: Promise<Credential | null>, challenge: unknown): Promise<Proof> {
  try {
    const credential = await wish
    if (credential instanceof PublicKeyCredential)
      return { proof: { passkey: credential.toJSON(), challenge } }
  } catch (error) {
    if (error instanceof DOMException && error.name === 'InvalidStateError')
      return { problem: 'This device has a passkey for you already.' }
  }
  // The browser does not tell apart who has none and who has changed their mind.
  return { problem: 'No passkey was used.' }
}

function describeRefusal(result: Result): string {
  return result.status === 429 ? whenAgain(result) : `${result.message}.`
}
