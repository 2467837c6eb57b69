/** Assertions on what a response tells: keys, secrets, sessions and realms. */
import type { Attacker, Exchange } from './attacker.ts'
import { type Check, checkLeaks, unless } from './defaults.ts'

/** A public key has none of these members (RFC 7517 section 9.2, RFC 7518 section 6). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const

const noPrivateMember: Check = (_attacker, last) => {
  const { keys }: { keys?: unknown } = JSON.parse(last?.response.body || '{}')
  if (!Array.isArray(keys) || keys.length === 0) return 'no keys are listed'
  const found = PRIVATE_MEMBERS.filter((name) => keys.some((key) => Object.hasOwn(Object(key), name)))
  return unless(found.length === 0, `there is ${found.join(', ')}`)
}

/** Whether a response names the session of a login of the case. */
function namesSession({ saved }: Attacker, last: Exchange | undefined): boolean {
  const sids = [...saved.values()].flatMap((login) => (typeof login === 'string' ? [] : [login.sid]))
  return sids.some((sid) => sid !== '' && last?.response.body.includes(sid) === true)
}

/** Sentences about what a response tells. */
export const LEAK_ASSERTIONS: Readonly<Record<string, readonly Check[]>> = {
  'no private member of a key': [noPrivateMember],
  'no secret shows up': [checkLeaks],
  'no realm is named': [
    (_attacker, last) => unless(!/(?:actual|expected)_type/.test(last?.response.body ?? ''), 'one is'),
  ],
  'the session is named': [(attacker, last) => unless(namesSession(attacker, last), 'it is not')],
  'no session is named': [(attacker, last) => unless(!namesSession(attacker, last), 'one is')],
}
