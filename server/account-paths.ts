/** The routes of the account in the API's description. */
import { ACCESS, CSRF, jsonBody, jsonResponse, operation, requestBody, SECURITY } from './operations.ts'
import type { Json } from './schemas.ts'

const FRESH = [...ACCESS, 'fresh_token_required', ...CSRF] as const
const NOT_FOUND = { 404: jsonResponse('The user has none with this ID', 'Error') }

/** One segment of the path. */
function id(of: string): Json {
  return {
    parameters: [{ name: 'id', in: 'path', required: true, description: of, schema: { type: 'string' } }],
  }
}

/** Passkeys, the second factor, the names of devices, and the password. */
export const ACCOUNT: Json = {
  '/passkeys/challenge': {
    post: operation({
      id: 'passkeyChallenge',
      tag: 'Account',
      summary:
        'Begin to sign in or to step up by a passkey. The challenge is good for one use in five minutes.',
      security: SECURITY.none,
      responses: { 200: jsonResponse('What the browser needs', 'Ceremony') },
      codes: ['store_unavailable'],
    }),
  },
  '/account': {
    get: operation({
      id: 'account',
      tag: 'Account',
      summary: 'See the passkeys of the user, the second factor, and the ways to step up.',
      security: SECURITY.read,
      responses: { 200: jsonResponse('The account', 'Account') },
      codes: ACCESS,
    }),
  },
  '/account/passkeys/options': {
    post: operation({
      id: 'beginPasskey',
      tag: 'Account',
      summary: 'Begin to add a passkey. Needs a fresh access token.',
      security: SECURITY.write,
      responses: { 200: jsonResponse('What the browser needs', 'Ceremony') },
      codes: FRESH,
    }),
  },
  '/account/passkeys': {
    post: operation({
      id: 'addPasskey',
      tag: 'Account',
      summary:
        'Add the passkey that the browser has created. The challenge proves that a fresh token began it.',
      security: SECURITY.write,
      body: jsonBody('PasskeyProof'),
      responses: { 200: jsonResponse('Passkey added') },
      codes: [...ACCESS, ...CSRF],
    }),
  },
  '/account/passkeys/{id}': {
    delete: operation({
      id: 'removePasskey',
      tag: 'Account',
      summary: 'Remove a passkey. Needs a fresh access token.',
      security: SECURITY.write,
      ...id('The ID of the passkey'),
      responses: { 204: { description: 'The passkey no longer works' }, ...NOT_FOUND },
      codes: FRESH,
    }),
  },
  '/account/second-factor/setup': {
    post: operation({
      id: 'beginSecondFactor',
      tag: 'Account',
      summary: 'Get the key for an authenticator application. Needs a fresh access token.',
      security: SECURITY.write,
      responses: { 200: jsonResponse('The key', 'SecondFactorKey') },
      codes: FRESH,
    }),
  },
  '/account/second-factor': {
    post: operation({
      id: 'confirmSecondFactor',
      tag: 'Account',
      summary: 'Switch the second factor on, with a first code. Five tries within ten minutes.',
      security: SECURITY.write,
      body: requestBody('Code'),
      responses: { 200: jsonResponse('The recovery codes, shown once', 'RecoveryCodes') },
      codes: [...ACCESS, ...CSRF],
    }),
    delete: operation({
      id: 'removeSecondFactor',
      tag: 'Account',
      summary: 'Switch the second factor off. Needs a fresh access token.',
      security: SECURITY.write,
      responses: { 204: { description: 'A login needs no code' } },
      codes: FRESH,
    }),
  },
  '/account/devices/{id}': {
    patch: operation({
      id: 'nameDevice',
      tag: 'Account',
      summary: 'Give one of the sessions of the user a name, or take it away with null.',
      security: SECURITY.write,
      ...id('The ID of the session'),
      body: jsonBody('DeviceName'),
      responses: { 204: { description: 'The session has the name' }, ...NOT_FOUND },
      codes: [...ACCESS, ...CSRF],
    }),
  },
  '/change-password': {
    post: operation({
      id: 'changePassword',
      tag: 'Account',
      summary:
        'Change the password and end the other sessions. Needs an access token of a login or step-up ' +
        'within the last minute.',
      security: SECURITY.write,
      body: requestBody('NewPassword'),
      responses: { 200: jsonResponse('Password changed') },
      codes: [...FRESH, 'subject_unknown', 'rate_limited'],
    }),
  },
}
