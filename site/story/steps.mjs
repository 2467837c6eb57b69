/** The story of the front page: what each step does with the client, and what it shows. */
import { LIFE, USER } from './stand-in.mjs'

/**
 * The steps in their order. `run` gets the client and a function that moves the story's clock.
 * A refused login or call rejects or returns a response, as it does in an application.
 */
export const STEPS = [
  {
    title: 'Log in',
    button: 'Log in as Ada',
    code: 'await auth.login({ username, password })',
    text: 'The server starts a session. The access token lasts 15 minutes and is fresh: Ada has just typed her password.',
    run: (auth) => auth.login(USER),
  },
  {
    title: 'Call',
    button: 'Call /posts',
    code: "await auth.fetch('/posts')",
    text: 'The client attaches the token. The guard of the route verifies it and lets the call pass.',
    run: (auth) => auth.fetch('/posts'),
  },
  {
    title: 'The token expires',
    button: 'Let 15 minutes pass',
    code: '// a coffee',
    text: 'Nothing is sent. Only the clock of this story moves, not yours.',
    run: (_, pass) => pass(LIFE),
  },
  {
    title: 'Call again',
    button: 'Call /posts again',
    code: "await auth.fetch('/posts')",
    text: 'The client refreshes first, once for all calls that wait, and Ada notices nothing. The new token is not fresh.',
    run: (auth) => auth.fetch('/posts'),
  },
  {
    title: 'Do something sensitive',
    button: 'Change the email address',
    code: "await auth.fetch('/change-email', { method: 'POST' })",
    text: 'The route wants a fresh token and refuses. The client asks Ada for her password, gets a fresh token, and sends the same call again. It goes on as if nothing had happened.',
    run: (auth) => auth.fetch('/change-email', { method: 'POST' }),
  },
  {
    title: 'Log out',
    button: 'Log out',
    code: 'await auth.logout()',
    text: 'The session ends at the server, and in every tab.',
    run: (auth) => auth.logout(),
  },
]
