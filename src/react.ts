/**
 * Door `tokenwright/react`: the client of `tokenwright/client` in React 18 or later (tested with 19), as one provider and two hooks. No component that
 * is seen: the dialog is the application's. It runs on a server too, where nobody is known to be signed in.
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

/** What `AuthProvider` takes. */
export interface AuthProviderProps {
  /** The client, made once at module scope. */
  readonly client: AuthClient
  /** What may use it. */
  readonly children?: ReactNode
}

/** What `useAuth` gives: the state, and the client for everything else. */
export interface AuthValue extends AuthClientState {
  /** The client. */
  readonly auth: AuthClient
}

/** What a dialog of step-up needs. */
export interface StepUpDialog {
  /** What is asked for; null while nothing is, and the dialog is closed. */
  readonly request: StepUpRequest | null
  /** Why the last password did not do; null at first. */
  readonly problem: AuthClientError | null
  /** Tries a password. When it is right the dialog closes and the calls go on. */
  readonly confirm: (password: string) => Promise<void>
  /** Gives up: the calls reject with `step_up_cancelled`. */
  readonly cancel: () => void
}

const Context = createContext<AuthClient | null>(null)

/** Makes a client known to the components within. */
export const AuthProvider: FunctionComponent<AuthProviderProps> = ({ client, children }) =>
  createElement(Context.Provider, { value: client }, children)

/** On a server nothing is known. */
const UNKNOWN: AuthClientState = { status: 'unknown', expiresAt: null, fresh: false, login: null }

/** The client and its state; renders anew when that changes. Throws an Error outside an `AuthProvider`. */
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

/** A question and how it is answered. */
interface Question {
  readonly request: StepUpRequest
  readonly cancel: () => void
}

/** The step-up of this client, for one dialog. While no component uses it the client's own `onStepUp` is asked. */
export function useStepUp(): StepUpDialog {
  const { auth } = useAuth()
  const [question, setQuestion] = useState<Question | null>(null)
  const [problem, setProblem] = useState<AuthClientError | null>(null)
  useEffect(() => {
    let cancel: (() => void) | undefined
    const leave = auth.handleStepUp(
      (request) =>
        new Promise((resolve) => {
          cancel = () => resolve(false)
          setProblem(null)
          setQuestion({ request, cancel })
          request.signal.addEventListener('abort', () => setQuestion(null))
        }),
    )
    return () => {
      leave()
      cancel?.()
    }
  }, [auth])
  return {
    request: question?.request ?? null,
    problem,
    // A step-up settles the question by itself; only what went wrong is left to tell.
    confirm: (password) => auth.stepUp(password).catch(setProblem),
    cancel: () => question?.cancel(),
  }
}
