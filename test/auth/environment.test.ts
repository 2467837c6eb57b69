import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  ConfigurationError,
  createAuth,
  ENVIRONMENT_VARIABLES,
  generateKey,
  optionsFromEnvironment,
} from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { ROOT } from '../architecture/source.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'
const OTHER = 'Qm5uT8xRb2Wk9LzPd4Hs7Vf1Yc6Jg3Na'

type ToPage = (variables: typeof ENVIRONMENT_VARIABLES) => string
const { toEnvironmentPage }: { toEnvironmentPage: ToPage } = await import(
  join(ROOT, 'scripts/environment-page.mjs')
)

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-environment-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The options, without the note of which variables have set them. */
function read(env: Record<string, string>, others?: readonly string[]): object {
  return Object.fromEntries(Object.entries(optionsFromEnvironment(env, others)))
}

function complaint(env: Record<string, string>): string {
  try {
    optionsFromEnvironment(env)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    expect((error as Error).message).not.toMatch(/hunter2/)
    return (error as Error).message
  }
  throw new Error('accepted')
}

describe('optionsFromEnvironment', () => {
  it('reads each kind of text', () => {
    expect(
      read({
        TOKENWRIGHT_SECRET: SECRET,
        TOKENWRIGHT_ISSUER: 'https://id.example.com',
        TOKENWRIGHT_AUDIENCE: 'api, admin',
        TOKENWRIGHT_ACCESS_EXPIRES_IN: '10m',
        TOKENWRIGHT_SESSIONS_MAX_PER_SUBJECT: '5',
        TOKENWRIGHT_SESSIONS_MAX_WHEN_FULL: 'refuse',
        TOKENWRIGHT_SESSIONS_JITTER: '0.2',
        TOKENWRIGHT_SESSIONS_PRUNE: 'false',
        TOKENWRIGHT_COOKIES_ACCESS_NAME: 'at',
        TOKENWRIGHT_COOKIES_FORMER: '[{"name":"old"}]',
        TOKENWRIGHT_CSRF_MODE: 'false',
        TOKENWRIGHT_CACHE: 'false',
        TOKENWRIGHT_INTEROP: 'true',
        TOKENWRIGHT_HEADER_SCHEME: '',
        PATH: '/bin',
      }),
    ).toEqual({
      secret: SECRET,
      issuer: 'https://id.example.com',
      audience: ['api', 'admin'],
      access: { expiresIn: '10m' },
      sessions: { max: { perSubject: 5, whenFull: 'refuse' }, jitter: 0.2, prune: false },
      cookies: { access: { name: 'at' }, former: [{ name: 'old' }] },
      csrf: { mode: false },
      cache: false,
      interop: true,
      header: { scheme: '' },
    })
  })

  it('makes options that createAuth takes, and the tokens are by them', async () => {
    const { sessions, ...options } = optionsFromEnvironment({
      TOKENWRIGHT_SECRET: SECRET,
      TOKENWRIGHT_SECRET_OTHER: OTHER,
      TOKENWRIGHT_ISSUER: 'https://id.example.com',
      TOKENWRIGHT_ACCESS_EXPIRES_IN: '10m',
      TOKENWRIGHT_SESSIONS_OVERLAP: '5s',
    })
    const auth = createAuth({ ...options, sessions: { ...sessions, store: memoryStore() } })
    onTestFinished(() => auth.close())
    const { access_token, expires_in } = await auth.createTokenPair('alice')
    expect(expires_in).toBeGreaterThan(500)
    const payload = await createAuth({ secret: SECRET, issuer: 'https://id.example.com' }).verifyToken(
      access_token,
    )
    expect(payload.sub).toBe('alice')
    expect((await auth.health()).keys.verifying).toBe(2)
  })

  it('switches on by a member what its switch has switched on', () => {
    expect(read({ TOKENWRIGHT_INTEROP: 'true', TOKENWRIGHT_INTEROP_UNTYPED: 'true' })).toEqual({
      interop: { untyped: true },
    })
    expect(complaint({ TOKENWRIGHT_CACHE: 'false', TOKENWRIGHT_CACHE_ENTRIES: '5' })).toBe(
      'TOKENWRIGHT_CACHE_ENTRIES is set, and TOKENWRIGHT_CACHE=false switches it off',
    )
  })

  it('reads a secret from a file, without the line break at its end, and a key file', async () => {
    const folder = createFolder()
    writeFileSync(join(folder, 'secret'), `${SECRET}\n`)
    writeFileSync(join(folder, 'keys'), JSON.stringify({ keys: [generateKey('ES256', 'first')] }))
    expect(read({ TOKENWRIGHT_SECRET_FILE: join(folder, 'secret') })).toEqual({
      secret: SECRET,
    })
    // Only one: what else stands there may be a part of it.
    writeFileSync(join(folder, 'spaced'), ` ${SECRET} \n\r\n`)
    expect(read({ TOKENWRIGHT_SECRET_FILE: join(folder, 'spaced') })).toEqual({ secret: ` ${SECRET} \n` })
    const { sessions: _, ...options } = optionsFromEnvironment({ TOKENWRIGHT_KEYS: join(folder, 'keys') })
    const auth = createAuth(options)
    expect((await auth.health()).keys.signing).toEqual({ kid: 'first', alg: 'ES256' })
  })

  it.each([
    ['is not there', () => undefined, 'names a file that cannot be read (ENOENT)'],
    ['is a folder', (path: string) => mkdirSync(path), 'names a file that is no regular file'],
    [
      'is too large',
      (path: string) => writeFileSync(path, 'x'.repeat(1_048_577)),
      'names a file that is larger than 1 MiB',
    ],
    ['is empty', (path: string) => writeFileSync(path, '\n'), 'TOKENWRIGHT_SECRET is empty'],
  ] as const)('refuses a file that %s', (_, make, message) => {
    const path = join(createFolder(), 'secret')
    make(path)
    expect(complaint({ TOKENWRIGHT_SECRET_FILE: path })).toContain(message)
  })

  it.each([
    [{ TOKENWRIGHT_SECRET: SECRET, TOKENWRIGHT_SECRET_FILE: '/x' }, /are both set: take one away/],
    [{ TOKENWRIGHT_SECRET_OTHER: SECRET }, /is set without TOKENWRIGHT_SECRET/],
    [{ TOKENWRIGHT_ISSUER: '' }, /^TOKENWRIGHT_ISSUER is empty/],
    [{ TOKENWRIGHT_AUDIENCE: 'api,,hunter2' }, /^TOKENWRIGHT_AUDIENCE must be texts with commas/],
    [{ TOKENWRIGHT_ACCESS_EXPIRES_IN: '900' }, /^TOKENWRIGHT_ACCESS_EXPIRES_IN must be a duration/],
    [{ TOKENWRIGHT_COOKIES_SECURE: 'hunter2' }, /^TOKENWRIGHT_COOKIES_SECURE must be true or false/],
    [{ TOKENWRIGHT_COOKIES_SECURE: '1' }, /must be true or false/],
    [{ TOKENWRIGHT_CACHE: 'true' }, /^TOKENWRIGHT_CACHE must be false/],
    [{ TOKENWRIGHT_CACHE_ENTRIES: '1e3' }, /^TOKENWRIGHT_CACHE_ENTRIES must be a number in digits/],
    [{ TOKENWRIGHT_ISSUERS: '{hunter2' }, /^TOKENWRIGHT_ISSUERS must be JSON/],
  ])('refuses %j', (env, message) => {
    expect(complaint(env as Record<string, string>)).toMatch(message)
  })

  it.each([
    ['TOKENWRIGHT_ISUER', 'TOKENWRIGHT_ISSUER'],
    ['TOKENWRIGHT_ACCESS', 'TOKENWRIGHT_ACCESS_EXPIRES_IN'],
    ['TOKENWRIGHT_ACCESS_TOKEN_TTL', 'TOKENWRIGHT_ACCESS_EXPIRES_IN'],
    ['TOKENWRIGHT_SECRET_KEY', 'TOKENWRIGHT_SECRET'],
    ['TOKENWRIGHT_JWT_SECRET', 'TOKENWRIGHT_SECRET'],
    ['TOKENWRIGHT_ISSUER_FILE', 'TOKENWRIGHT_ISSUERS_FILE'],
    ['TOKENWRIGHT_LEWAY', 'TOKENWRIGHT_LEEWAY'],
  ])('refuses %s and suggests %s', (name, near) => {
    expect(complaint({ [name]: 'hunter2' })).toMatch(`${name} is not a setting; did you mean ${near}?`)
  })

  it('leaves names that are the application’s own, and suggests them', () => {
    expect(read({ TOKENWRIGHT_REGION: 'x' }, ['TOKENWRIGHT_REGION'])).toEqual({})
    expect(() => optionsFromEnvironment({ TOKENWRIGHT_REGON: 'x' }, ['TOKENWRIGHT_REGION'])).toThrow(
      'did you mean TOKENWRIGHT_REGION?',
    )
  })

  it('lets createAuth say which variable has set what it refuses', () => {
    const { sessions, ...options } = optionsFromEnvironment({
      TOKENWRIGHT_SECRET: SECRET,
      TOKENWRIGHT_ACCESS_EXPIRES_IN: '0s',
      TOKENWRIGHT_SESSIONS_OVERLAP: '5s',
    })
    expect(() => createAuth({ ...options, sessions: { ...sessions, store: memoryStore() } })).toThrow(
      /^Expected `access\.expiresIn` to be .* \(set by TOKENWRIGHT_ACCESS_EXPIRES_IN\)$/,
    )
    expect(() => createAuth({ ...options, access: { expiresIn: '5m' }, leeway: '5h' })).toThrow(
      /^(?!.*set by)/,
    )
  })

  it('knows every option that docs/reference/options.md has', () => {
    const page =
      readFileSync(join(ROOT, 'docs/reference/options.md'), 'utf8').split('## Requirements')[0] ?? ''
    const leaves = [...page.matchAll(/^\| (`.*?`) \| (.*?) \|/gm)].flatMap(([, names = '', type = '']) =>
      [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => ({ name, type })),
    )
    const known = new Set(ENVIRONMENT_VARIABLES.map(({ option }) => option))
    const missing = leaves
      .filter(({ name }) => !known.has(name) && !/\[\]|^on\b/.test(name))
      .filter(({ name }) => ![...known].some((one) => one.startsWith(`${name}.`)))
      .map(({ name }) => name)
    // What no text can be: a store, functions, a schema.
    expect(missing).toEqual([
      'isRevoked',
      'claims',
      'additionalClaims',
      'additionalHeaders',
      'subject',
      'clock',
      'sessions.store',
      'sessions.rights',
      'revocation.source',
    ])
  })
})

describe('docs/reference/environment.md', () => {
  it('is what `npm run docs:options` writes', () => {
    const page = readFileSync(join(ROOT, 'docs/reference/environment.md'), 'utf8')
    expect(page, 'run `npm run docs:options`').toBe(toEnvironmentPage(ENVIRONMENT_VARIABLES))
  })
})
