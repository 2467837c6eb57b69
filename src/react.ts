/**
 * Entry point `tokenwright/react`: the client of `tokenwright/client` in React 18 or later (tested
 * with 19), as one provider and two hooks. It renders nothing: the dialog is the application's. On
 * a server it runs too, with the status `unknown`.
 */
import {
  createContext,
  createElement,
  type FunctionComponent,
  type ReactNode,
  useContext,
  useEffect,
  useState,
  useSyncExternalStore,
} from 'react'
import type { AuthClient, AuthClientError, AuthClientState, StepUpRequest } from './client.ts'

/** The props of `AuthProvider`. */
export interface AuthProviderProps {
  /** The client, created once at module scope. */
  readonly client: AuthClient
  /** The components that may use it. */
  readonly children?: ReactNode
}

/** What `useAuth` returns: the state, and the client for everything else. */
export interface AuthValue extends AuthClientState {
  /** The client. */
  readonly auth: AuthClient
}

/** The state of a step-up dialog, and its two buttons. */
export interface StepUpDialog {
  /** What a route requires; null while the dialog is closed. */
  readonly request: StepUpRequest | null
  /** Why the last password failed; null at first. */
  readonly problem: AuthClientError | null
  /** Tries a password. If it is correct, the dialog closes and the calls continue. */
  readonly confirm: (password: string) => Promise<void>
  /** Closes the dialog: the calls reject with `step_up_cancelled`. */
  readonly cancel: () => void
}

const Context = createContext<AuthClient | null>(null)

/** Provides a client to the components inside. */
export const AuthProvider: FunctionComponent<AuthProviderProps> = ({ client, children }) =>
  createElement(Context.Provider, { value: client }, children)

/** The state on a server. */
const UNKNOWN: AuthClientState = { status: 'unknown', expiresAt: null, fresh: false, login: null }

/**
 * The client and its state. The component renders again when the state changes.
 *
 * @throws {Error} outside an `AuthProvider`
 */
export function useAuth(): AuthValue {
  const auth = useContext(Context)
  if (auth === null) throw new Error('useAuth() needs an <AuthProvider>')
  const state = useSyncExternalStore(
    auth.subscribe,
    () => auth.state,
    () => UNKNOWN,
  )
  return { ...state, auth }
}

interface OpenDialog {
  readonly request: StepUpRequest
  readonly cancel: () => void
}

/**
 * The step-up of this client, for one dialog. While no component uses it, the client calls its
 * `onStepUp`.
 */
export function useStepUp(): StepUpDialog {
  const { auth } = useAuth()
  const [dialog, setDialog] = useState<OpenDialog | null>(null)
  const [problem, setProblem] = useState<AuthClientError | null>(null)
  useEffect(() => {
    let cancel: (() => void) | undefined
    const leave = auth.handleStepUp(
      (request) =>
        new Promise((resolve) => {
          cancel = () => resolve(false)
          setProblem(null)
          setDialog({ request, cancel })
          request.signal.addEventListener('abort', () => setDialog(null))
        }),
    )
    return () => {
      leave()
      cancel?.()
    }
  }, [auth])
  return {
    request: dialog?.request ?? null,
    problem,
    // A successful step-up closes the dialog by itself; only a failure is left to show.
    confirm: (password) => auth.stepUp(password).catch(setProblem),
    cancel: () => dialog?.cancel(),
  }
}
