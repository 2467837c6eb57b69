/**
 * Entry point `tokenwright/react`: the client of `tokenwright/client` in React 18 or later (tested
 * with 19), as a provider, hooks, and two components that show their children or not. The dialog is
 * the application's. On a server it runs too, with the state that the server gives, or `unknown`.
 */
import {
  createContext,
  createElement,
  type FunctionComponent,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from 'react'
import type { AuthClient, AuthClientError, AuthClientState, CurrentUser, StepUpRequest } from './client.ts'

/** The props of `AuthProvider`. */
export interface AuthProviderProps {
  /** The client, created once at module scope. */
  readonly client: AuthClient
  /**
   * What the server knows of the user, so that its page and the first one here show the same. It
   * counts until the client knows better. Default: `unknown`.
   */
  readonly initialState?: AuthClientState | undefined
  /** The components that may use it. */
  readonly children?: ReactNode
}

/** The props of `SignedIn` and `SignedOut`. */
export interface SignedProps {
  /** What is shown. */
  readonly children?: ReactNode
}

/** What `useAuth` takes. */
export interface UseAuthOptions {
  /** Suspends until it is known whether a user is signed in. Default false. */
  readonly suspense?: boolean
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

interface Provided {
  readonly client: AuthClient
  readonly initialState: AuthClientState
}

const Context = createContext<Provided | null>(null)

const UNKNOWN: AuthClientState = { status: 'unknown', expiresAt: null, fresh: false, login: null }

/** Provides a client to the components inside. */
export const AuthProvider: FunctionComponent<AuthProviderProps> = ({
  client,
  initialState = UNKNOWN,
  children,
}) => {
  const value = useMemo(() => ({ client, initialState }), [client, initialState])
  return createElement(Context.Provider, { value }, children)
}

/** The clients that need not be waited for: known, or out of reach of their servers. */
const settled = new WeakSet<AuthClient>()

/**
 * The client and its state. The component renders again when the state changes.
 *
 * @throws {Error} outside an `AuthProvider`
 */
export function useAuth({ suspense = false }: UseAuthOptions = {}): AuthValue {
  const provided = useContext(Context)
  if (provided === null) throw new Error('useAuth() needs an <AuthProvider>')
  const { client: auth, initialState } = provided
  const state = useSyncExternalStore(
    auth.subscribe,
    () => (auth.state.status === 'unknown' ? initialState : auth.state),
    () => initialState,
  )
  if (suspense && state.status === 'unknown' && !settled.has(auth))
    throw auth.ready.then(() => settled.add(auth))
  return { ...state, auth }
}

/** Shows its children while a user is signed in. */
export const SignedIn: FunctionComponent<SignedProps> = ({ children }) =>
  useAuth().status === 'signed-in' ? children : null

/** Shows its children while no user is signed in, and it is known that none is. */
export const SignedOut: FunctionComponent<SignedProps> = ({ children }) =>
  useAuth().status === 'signed-out' ? children : null

/**
 * The user of `createUser`: null when no one is signed in, undefined while it is loaded. The
 * component renders again when it changes.
 */
export function useUser<U>(user: CurrentUser<U>): U | null | undefined {
  return useSyncExternalStore(
    user.subscribe,
    () => user.current,
    () => undefined,
  )
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
