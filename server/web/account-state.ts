/*
 * What the server says of the user's account: the passkeys, the second step, and the ways to prove
 * who one is. Panels watch it.
 */

import type { Actions } from './actions.ts'
import type { Json } from './api.ts'
import { ACCOUNT_PATH as PATH } from './recorder.ts'
import type { Session } from './session.ts'

/** A way to prove who one is. */
export type Method = 'passkey' | 'code' | 'password'

export interface AccountState {
  readonly passkeys: readonly Json[]
  readonly isSecondStepOn: boolean
  readonly recoveryCodes: number
  /** The ways to step up; the password as long as nothing is known. */
  readonly methods: readonly Method[]
  /** Whether the server has said so. */
  readonly isKnown: boolean
  /** Calls `listener` now and after each change. */
  watch(listener: () => void): void
  /** Asks the server again. */
  reload(): Promise<void>
  /** Follows the session, once the actions exist. */
  connect(actions: Actions): void
}

type Known = Pick<AccountState, 'passkeys' | 'isSecondStepOn' | 'recoveryCodes' | 'methods' | 'isKnown'>

const UNKNOWN: Known = {
  passkeys: [],
  isSecondStepOn: false,
  recoveryCodes: 0,
  methods: ['password'],
  isKnown: false,
}

/** Creates the state: nothing is known. */
export function createAccountState(session: Session): AccountState {
  const listeners: (() => void)[] = []
  let known = UNKNOWN
  let actions: Actions | undefined
  let user = ''

  const change = (next: Known): void => {
    known = next
    for (const listener of listeners) listener()
  }
  const reload = async (): Promise<void> => {
    const result = await actions?.fetch({ method: 'GET', path: PATH })
    if (result?.ok && session.isSignedIn) change(read(result.body))
  }
  return {
    get passkeys() {
      return known.passkeys
    },
    get isSecondStepOn() {
      return known.isSecondStepOn
    },
    get recoveryCodes() {
      return known.recoveryCodes
    },
    get methods() {
      return known.methods
    },
    get isKnown() {
      return known.isKnown
    },
    watch(listener) {
      listeners.push(listener)
      listener()
    },
    reload,
    connect(given) {
      actions = given
      session.watch(() => {
        if (session.user === user) return
        user = session.user
        change(UNKNOWN)
        if (user !== '') void reload()
      })
      given.listen(({ call, result }) => {
        if (result.ok && call.method !== 'GET' && call.path.startsWith(`${PATH}/`)) void reload()
      })
    },
  }
}

function read(body: Json): Known {
  const factor = (body['second_factor'] ?? {}) as Json
  return {
    passkeys: (body['passkeys'] ?? []) as readonly Json[],
    isSecondStepOn: factor['on'] === true,
    recoveryCodes: Number(factor['recovery_codes'] ?? 0),
    methods: (body['step_up'] ?? ['password']) as readonly Method[],
    isKnown: true,
  }
}
