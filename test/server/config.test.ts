import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readConfig } from '../../server/config.ts'
import { ConfigurationError } from '../../src/index.ts'

const SECRET = 'kX2vQ9mZr4Lt7wBn1cYs8dHf3gJp6aEu'

function complaint(env: Record<string, string>): string {
  try {
    readConfig(env, '/srv')
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    const { message } = error as Error
    expect(message).not.toMatch(/[\r\n]/)
    return message
  }
  throw new Error(`accepted: ${JSON.stringify(env)}`)
}

describe('readConfig', () => {
  it('has a default for every setting, and is frozen', () => {
    const config = readConfig({}, '/srv')
    expect(config).toEqual({
      port: 8000,
      host: '127.0.0.1',
      database: { kind: 'sqlite', path: '/srv/.data/tokenwright.db', createFolder: true },
      redis: undefined,
      origin: undefined,
      trustedProxies: undefined,
      options: expect.toSatisfy((options) => Object.keys(options).length === 0),
      secret: undefined,
      otherSecret: undefined,
      keyFile: undefined,
      accessTtl: 900,
      freshnessWindow: 900,
      overlap: 30,
      wait: 0,
      drain: undefined,
      metricsPort: undefined,
      log: undefined,
      production: false,
    })
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.database)).toBe(true)
  })

  it('reads what is set', () => {
    const env = {
      PORT: '0',
      HOST: '::1',
      TOKENWRIGHT_ACCESS_EXPIRES_IN: '10s',
      TOKENWRIGHT_FRESHNESS_WINDOW: '2m',
      TOKENWRIGHT_SESSIONS_OVERLAP: '0s',
      TOKENWRIGHT_WAIT: '30s',
      TOKENWRIGHT_DRAIN: '10s',
      METRICS_PORT: '9464',
      TOKENWRIGHT_LOG: 'text',
      REDIS_URL: 'rediss://app:hunter2@cache.example:6380/3',
      NODE_ENV: 'production',
    }
    const config = readConfig({ ...env, TOKENWRIGHT_SECRET: SECRET }, '/srv')
    expect(config).toMatchObject({
      port: 0,
      host: '::1',
      accessTtl: 10,
      freshnessWindow: 120,
      overlap: 0,
      wait: 30,
      drain: 10,
      metricsPort: 9464,
      log: 'text',
      redis: {
        kind: 'redis',
        url: 'rediss://app:hunter2@cache.example:6380/3',
        shown: 'redis://cache.example:6380/3',
      },
      production: true,
      secret: SECRET,
    })
  })

  it('treats an empty variable as not set', () => {
    const env = {
      PORT: '',
      HOST: '',
      DATABASE_URL: '',
      TOKENWRIGHT_ACCESS_EXPIRES_IN: '',
      TOKENWRIGHT_FRESHNESS_WINDOW: '',
      TOKENWRIGHT_SESSIONS_OVERLAP: '',
      TOKENWRIGHT_WAIT: '',
      TOKENWRIGHT_DRAIN: '',
      REDIS_URL: '',
      NODE_ENV: '',
    }
    expect(readConfig(env, '/srv')).toEqual(readConfig({}, '/srv'))
  })

  it.each([
    ['sqlite:users.db', '/srv/users.db'],
    ['sqlite:./a/users.db', '/srv/a/users.db'],
    ['sqlite:/var/users.db', '/var/users.db'],
    ['sqlite:///var/users.db', '/var/users.db'],
    ['SQLite:users.db', '/srv/users.db'],
    ['sqlite::memory:', ':memory:'],
  ])('finds the database of %s', (url, path) => {
    const { database } = readConfig({ DATABASE_URL: url }, '/srv')
    expect(database).toEqual({ kind: 'sqlite', path, createFolder: false })
  })

  it.each([
    ['TOKENWRIGHT_ACCES', 'TOKENWRIGHT_ACCESS_EXPIRES_IN'],
    ['TOKENWRIGHT_TRUST_PROXIES', 'TOKENWRIGHT_TRUST_PROXY'],
    ['TOKENWRIGHT_ACCESS_TTL', 'TOKENWRIGHT_ACCESS_EXPIRES_IN'],
    ['TOKENWRIGHT_FRESHNES', 'TOKENWRIGHT_FRESHNESS_WINDOW'],
    ['TOKENWRIGHT_SECRET_KEY', 'TOKENWRIGHT_SECRET'],
  ])('refuses %s, which would be ignored', (name, near) => {
    const read = (): unknown => readConfig({ [name]: 'hunter2hunter2' }, '/srv')
    expect(read).toThrow(`${name} is not a setting; did you mean ${near}?`)
    expect(read).not.toThrow(/hunter2/)
  })

  it.each([
    ['TOKENWRIGHT_DATABASE', ' did you mean DATABASE_URL?'],
    ['TOKENWRIGHT_PORT', ' did you mean PORT?'],
    ['TOKENWRIGHT_REDIS_URL', ' did you mean REDIS_URL?'],
    ['TOKENWRIGHT_', ' docs/reference/environment.md lists all'],
    ['TOKENWRIGHT_X', ' docs/reference/environment.md lists all'],
  ])('refuses %s, which resembles none of its prefix', (name, guess) => {
    for (const value of ['', 'hunter2hunter2'])
      expect(complaint({ [name]: value })).toBe(`${name} is not a setting;${guess}`)
  })

  it('takes the options of the library, and secrets from files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tokenwright-config-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'secret'), `${SECRET}\n`)
    const config = readConfig(
      {
        TOKENWRIGHT_SECRET_FILE: join(folder, 'secret'),
        TOKENWRIGHT_SESSIONS_IDLE: '2d',
        TOKENWRIGHT_LEEWAY: '3s',
      },
      '/srv',
    )
    expect(config).toMatchObject({ secret: SECRET, options: { leeway: '3s', sessions: { idle: '2d' } } })
  })

  it('leaves variables of others alone', () => {
    const env = { TOKENWRIGHT_TEST_FOLDER: '/tmp', TOKENWRIGHT_PROVE: '1', ACCESS: 'x' }
    expect(readConfig(env, '/srv')).toEqual(readConfig({}, '/srv'))
  })

  it.each(['abc', '-1', '65536', '80.5', '0x50', '1e3', ' 80', '80\n81', '999999'])(
    'refuses the port %j',
    (port) => {
      expect(complaint({ PORT: port })).toMatch(/^PORT must be a whole number from 0 to 65535, got "/)
    },
  )

  it.each(['900', '15', 'm', '1y', '-5m', '0s', '1h 5m', '31d', 'NaN', 'Infinitys'])(
    'refuses the duration %j',
    (text) => {
      for (const variable of ['TOKENWRIGHT_ACCESS_EXPIRES_IN', 'TOKENWRIGHT_FRESHNESS_WINDOW']) {
        expect(complaint({ [variable]: text })).toMatch(
          new RegExp(`^${variable} must be a duration from .s to 30d such as`),
        )
      }
    },
  )

  it('refuses a freshness under 5 seconds, which would step up in a loop', () => {
    expect(complaint({ TOKENWRIGHT_FRESHNESS_WINDOW: '4s' })).toContain('from 5s to 30d')
    expect(readConfig({ TOKENWRIGHT_FRESHNESS_WINDOW: '5s' }, '/srv').freshnessWindow).toBe(5)
  })

  it.each(['', 'short-but-known', SECRET.slice(1)])(
    'refuses the short secret %j and does not show it',
    (secret) => {
      const message = complaint({ TOKENWRIGHT_SECRET: secret })
      const expected = secret ? '`TOKENWRIGHT_SECRET` to be at least 32 bytes' : 'TOKENWRIGHT_SECRET is empty'
      expect(message).toContain(expected)
      if (secret) expect(message).not.toContain(secret)
    },
  )

  it.each(['https://app.example.com', 'http://localhost:8000', 'https://app.example.com:8443'])(
    'takes the origin %s',
    (origin) => expect(readConfig({ TOKENWRIGHT_ORIGIN: origin }, '/srv').origin).toBe(origin),
  )

  it.each(['app.example.com', 'https://app.example.com/', 'http://app.example.com', 'https://a/b', 'null'])(
    'refuses the origin %s, which no passkey would match',
    (origin) => {
      expect(complaint({ TOKENWRIGHT_ORIGIN: origin })).toMatch(
        /^TOKENWRIGHT_ORIGIN must be an origin such as/,
      )
    },
  )

  it.each([
    ['postgres://app:hunter2@db.example/app', 'postgres', 'postgres://db.example/app'],
    ['postgresql://app:p%40ss@db:5433/app?sslmode=require', 'postgres', 'postgres://db:5433/app'],
    ['mysql://app@[::1]:3307/app', 'mysql', 'mysql://[::1]:3307/app'],
    ['mariadb://root@localhost/app', 'mysql', 'mysql://localhost/app'],
  ])('takes %s, and shows no user and no password', (url, kind, shown) => {
    const { database } = readConfig({ DATABASE_URL: url }, '/srv')
    expect(database).toEqual({ kind, url: url.replace(/^[^:]+/, kind), shown })
    expect(Object.isFrozen(database)).toBe(true)
  })

  it.each([
    'postgres:',
    'postgres://',
    'postgres://user:hunter2@db.example',
    'postgres://user:hunter2@db.example/',
    'postgres://user:hunter2@db.example/a/b',
    'mysql://user:hunter2@/app',
    'mysql://user:hunter2@db.example:port/app',
    'mysql:app',
  ])('refuses %s, which names no host or no database, without the password', (url) => {
    const message = complaint({ DATABASE_URL: url })
    expect(message).toMatch(/^DATABASE_URL must be (postgres|mysql):\/\/user:password@host:port\/database$/)
    expect(message).not.toMatch(/hunter2|db\.example/)
  })

  it.each([
    'localhost:6379',
    'http://user:hunter2@x',
    'redis://',
    'redis:///1',
    'redis://user:hunter2@x/one',
    'redis://x/1#y',
  ])('refuses the Redis %s without the password', (url) => {
    const message = complaint({ REDIS_URL: url })
    expect(message).toContain('REDIS_URL must be redis://host:port')
    expect(message).not.toContain('hunter2')
  })

  it.each(['-1s', '301s', '6m', '30', 'x'])('refuses the overlap %j', (text) => {
    expect(complaint({ TOKENWRIGHT_SESSIONS_OVERLAP: text })).toContain(
      'TOKENWRIGHT_SESSIONS_OVERLAP must be a duration from 0s to 5m',
    )
  })

  it.each(['users.db', 'mongodb://user:hunter2@x/', 'constructor:x', ':', 'http://x'])(
    'refuses the address %j',
    (url) => {
      const message = complaint({ DATABASE_URL: url })
      expect(message).toContain('DATABASE_URL: the address is not understood; use sqlite:<path>')
      expect(message).not.toContain('hunter2')
    },
  )

  it.each(['sqlite:', 'sqlite://host/x.db', 'sqlite:x.db?mode=ro', 'sqlite:folder/', 'sqlite:x.db#y'])(
    'refuses %j',
    (url) => {
      expect(complaint({ DATABASE_URL: url })).toContain('DATABASE_URL must be sqlite:<path of a file>')
    },
  )
})
