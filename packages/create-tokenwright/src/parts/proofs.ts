/**
 * How users prove who they are: `src/auth.ts` and `src/users.ts` of a project, what sensitive
 * routes require, and what its tests send.
 */
import type { Choices } from '../choices.ts'
import type { Part } from './part.ts'

export interface ProofPart extends Part {
  /** The guard of a sensitive route. */
  readonly guard: string
  readonly test: ProofTest
  readonly readme: ProofReadme
}

/** Code of the test. */
export interface ProofTest {
  readonly imports?: readonly string[]
  /** Statements before the application is made, and its further arguments. */
  readonly before?: string
  readonly argument?: string
  /** A function that a proof takes. */
  readonly helper?: string
  /** Expressions: the body of a login, and of a step-up. */
  readonly login: string
  readonly stepUp: string
  /** How old the proof of a token may be that must not be enough. */
  readonly tooWeak: string
}

/** What the README says. */
export interface ProofReadme {
  /** JSON of a login, and of a step-up. */
  readonly login: string
  readonly stepUp: string
  /** What comes before them. */
  readonly before?: string
  /** What to do before real users come. */
  readonly production: readonly string[]
}

type Delivery = Choices['delivery']

export function proofPart(proofs: Choices['proofs'], delivery: Delivery): ProofPart {
  return PROOFS[proofs](delivery)
}

const PROOFS: Readonly<Record<Choices['proofs'], (delivery: Delivery) => ProofPart>> = {
  password: (delivery) => ({
    dependencies: ['@node-rs/argon2'],
    files: { 'src/auth.ts': passwordAuth(delivery), 'src/users.ts': passwordUsers() },
    guard: 'guard.fresh()',
    test: {
      login: "{ username: 'test', password: 'test' }",
      stepUp: "{ username: 'test', password: 'test' }",
      tooWeak: "{ fresh: true, age: '20m' }",
    },
    readme: {
      login: '{"username":"test","password":"test"}',
      stepUp: '{"username":"test","password":"test"}',
      production: ['`src/users.ts`: look users up in your database.'],
    },
  }),
  'password+totp': (delivery) => ({
    dependencies: ['@node-rs/argon2', 'otpauth'],
    env: ['DEMO_TOTP_KEY=<key>'],
    files: {
      'src/auth.ts': passwordAuth(delivery, { withCode: true }),
      'src/users.ts': passwordUsers({ withCode: true }),
    },
    guard: "guard.token({ fresh: true, amr: 'otp' })",
    test: {
      imports: ["import { Secret, TOTP } from 'otpauth'"],
      before: "const key = new Secret()\nprocess.env['DEMO_TOTP_KEY'] = key.base32\n",
      login: "{ username: 'test', password: 'test' }",
      stepUp: '{ code: new TOTP({ secret: key }).generate() }',
      tooWeak: "{ fresh: true, amr: ['pwd'] }",
    },
    readme: {
      login: '{"username":"test","password":"test"}',
      stepUp: '{"code":"123456"}',
      before:
        'Add the key `DEMO_TOTP_KEY` of `.env` to an authenticator application; its code is what a\n' +
        'step-up takes.\n',
      production: [
        '`src/users.ts`: look users up in your database, with a key for each authenticator, and the last\n' +
          '  period in a column.',
      ],
    },
  }),
  'magic-link': (delivery) => ({
    env: ['ORIGIN=http://localhost:3000'],
    files: { 'src/auth.ts': linkAuth(delivery), 'src/mail.ts': MAIL, 'src/users.ts': LINK_USERS },
    guard: 'guard.fresh()',
    test: {
      before: "let mail = ''\n",
      helper: `/** Asks for a link, and takes the token out of the mail. */
async function readLink(): Promise<string> {
  await post('/auth/link', { address: 'test@example.com' })
  return mail.split('#')[1] ?? ''
}
`,
      argument: ', async (_to, text) => {\n  mail = text\n}',
      login: '{ token: await readLink() }',
      stepUp: '{ token: await readLink() }',
      tooWeak: "{ fresh: true, age: '20m' }",
    },
    readme: {
      login: '{"token":"..."}',
      stepUp: '{"token":"..."}',
      before: `Ask for a link. The mail is printed where the server runs; its token is what follows the \`#\`.

\`\`\`sh
curl -s localhost:3000/auth/link -H 'content-type: application/json' -d '{"address":"test@example.com"}'
\`\`\`
`,
      production: [
        '`src/users.ts`: look users up in your database.',
        '`src/mail.ts`: send mails, and limit how many an address gets. `ORIGIN` says where links lead.',
        'A page at `/login` that posts the token of its fragment to `/auth/login` when a button is\n' +
          '  pressed: scanners of mail open links, but press no button.',
      ],
    },
  }),
}

const CREATE: Readonly<Record<Delivery, string>> = {
  body: 'createAuth({ sessions: { store } }) // reads TOKENWRIGHT_SECRET',
  cookie: "createAuth({ locations: ['cookie'], sessions: { store } }) // reads TOKENWRIGHT_SECRET",
}
const DELIVERY: Readonly<Record<Delivery, string>> = { body: '', cookie: "    delivery: 'cookie',\n" }
const LAST = 'export type Authentication = ReturnType<typeof createAuthentication>\n'

function passwordAuth(delivery: Delivery, { withCode = false } = {}): string {
  const stepUp = withCode
    ? "    verifyStepUp: ({ code }, { payload }) => (useCode(payload.sub, code) ? { amr: ['otp'] } : null),\n"
    : ''
  return `/** Tokens, sessions, and the routes below /auth. */
import { createAuth, type Store } from 'tokenwright'
import { authRoutes } from 'tokenwright/routes'
import { ${withCode ? 'useCode, ' : ''}verifyPassword } from './users.ts'

export function createAuthentication(store: Store) {
  const auth = ${CREATE[delivery]}
  const routes = authRoutes(auth, {
${DELIVERY[delivery]}    verifyCredentials: async ({ username, password }) => {
      const subject = await verifyPassword(username, password)
      return subject === null ? null : { subject, amr: ['pwd'] }
    },
${stepUp}  })
  return { auth, routes }
}
${LAST}`
}

function passwordUsers({ withCode = false } = {}): string {
  return `/** The users. Replace them by those of your database. */
import { hash, verify } from '@node-rs/argon2'
${withCode ? `import { Secret, TOTP } from 'otpauth'\n` : ''}
interface User {
  readonly id: string
  readonly password: Promise<string>
}
const users = new Map<string, User>()
// A user to try it with.
if (process.env['NODE_ENV'] !== 'production') users.set('test', { id: 'user-1', password: hash('test') })

/** What an unknown name is compared with: it takes as long as a known one. */
const unknown = hash('of no user')

/** The identifier of the user; null if name or password is wrong. */
export async function verifyPassword(name: string, password: string): Promise<string | null> {
  const user = users.get(name)
  const isRight = await verify(await (user?.password ?? unknown), password)
  return user !== undefined && isRight ? user.id : null
}
${withCode ? TOTP_USERS : ''}`
}

const TOTP_USERS = `
/** The authenticator of a user. */
function findTotp(id: string): TOTP | null {
  const key = process.env['DEMO_TOTP_KEY']
  return id === 'user-1' && key ? new TOTP({ secret: Secret.fromBase32(key) }) : null
}

/** The period of the last code that each user used: a code is good for one use. */
const lastPeriods = new Map<string, number>()

/** Uses up a code. With several processes, compare and set the period in one statement. */
export function useCode(id: string, code: unknown): boolean {
  const totp = findTotp(id)
  if (totp === null || typeof code !== 'string') return false
  const delta = totp.validate({ token: code, window: 1 })
  if (delta === null) return false
  const period = totp.counter() + delta
  if (period <= (lastPeriods.get(id) ?? 0)) return false
  lastPeriods.set(id, period)
  return true
}
`

function linkAuth(delivery: Delivery): string {
  return `/** Tokens, sessions, and the routes below /auth. */
import { createAuth, isAuthError, type RequestInfo, type Store } from 'tokenwright'
import { authRoutes } from 'tokenwright/routes'
import { sendMail } from './mail.ts'
import { findUser } from './users.ts'

export function createAuthentication(store: Store, send = sendMail) {
  const auth = ${CREATE[delivery]}
  const handle = authRoutes(auth, {
${DELIVERY[delivery]}    verifyCredentials: async ({ token }) => {
      const subject = await redeemLink(token)
      return subject === null ? null : { subject, amr: ['email'] }
    },
    verifyStepUp: async ({ token }, { payload }) =>
      (await redeemLink(token)) === payload.sub ? { amr: ['email'] } : null,
  })
  /** The routes, and POST /auth/link. */
  const routes = (request: Request, info?: RequestInfo): Promise<Response> =>
    new URL(request.url).pathname === '/auth/link' ? sendLink(request) : handle(request, info)

  /** Whose link it is. Each is good for one use. */
  async function redeemLink(token: unknown): Promise<string | null> {
    try {
      return (await auth.oneTime.redeem('login-link', String(token))).subject
    } catch (error) {
      // Used, too old or forged. Anything else is no fault of the link.
      if (isAuthError(error) && error.status === 401) return null
      throw error
    }
  }

  async function sendLink(request: Request): Promise<Response> {
    const body: { address?: unknown } | null = await request.json().catch(() => null)
    const address = String(body?.address)
    const subject = findUser(address)
    if (subject !== null) {
      const token = await auth.oneTime.create('login-link', subject, { expiresIn: '15m' })
      // The token is in the fragment, which no server logs. The address of the page is not the
      // request's, which the sender chooses; and no one waits, so that no time tells who is known.
      const page = new URL('/login', process.env['ORIGIN'] ?? 'http://localhost:3000')
      send(address, \`\${page}#\${token}\`).catch(console.error)
    }
    // The same for an unknown address: no one learns who has an account.
    return Response.json({ message: 'If the address is known, a mail is on its way' }, { status: 202 })
  }

  return { auth, routes }
}
${LAST}`
}

const LINK_USERS = `/** The users. Replace them by those of your database. */

/** The identifiers of users by their addresses. */
const users = new Map<string, string>()
// A user to try it with.
if (process.env['NODE_ENV'] !== 'production') users.set('test@example.com', 'user-1')

export function findUser(address: string): string | null {
  return users.get(address.toLowerCase()) ?? null
}
`

const MAIL = `/** Sends mails. Replace it by your service: this one prints. */
export async function sendMail(to: string, text: string): Promise<void> {
  if (process.env['NODE_ENV'] === 'production') throw new Error('src/mail.ts sends no mail yet')
  console.log(\`Mail to \${to}: \${text}\`)
}
`
