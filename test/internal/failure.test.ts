import { describe, expect, it } from 'vitest'
import { explainFailure } from '../../src/index.ts'
import { describeFailure } from '../../src/internal/failure.ts'

const failure = (facts: object, message = 'no') => Object.assign(new Error(message), facts)

describe('explainFailure', () => {
  it.each<[string, unknown, string]>([
    ['of a socket', failure({ code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    [
      'of a host with several addresses',
      new AggregateError([failure({ code: 'ECONNREFUSED' }), failure({ code: 'ECONNREFUSED' })]),
      'ECONNREFUSED',
    ],
    ['of pg', failure({ code: '53300' }), '53300'],
    ['of mysql2', failure({ code: 'ER_CON_COUNT_ERROR', errno: 1040 }), 'ER_CON_COUNT_ERROR'],
    ['of node:sqlite', failure({ code: 'ERR_SQLITE_ERROR', errcode: 1032 }), 'SQLITE_READONLY'],
    [
      'of node:sqlite, without a result code',
      failure({ code: 'ERR_SQLITE_ERROR' }, 'attempt to write a readonly database'),
      'SQLITE_READONLY',
    ],
    ['of better-sqlite3', failure({ code: 'SQLITE_READONLY_DBMOVED' }), 'SQLITE_READONLY'],
    ['of ioredis', failure({ name: 'ReplyError' }, "READONLY You can't write"), 'READONLY'],
    ['of node-redis', failure({}, "OOM command not allowed when used memory > 'maxmemory'."), 'OOM'],
    ['of pg-pool', failure({}, 'timeout exceeded when trying to connect'), 'POOL_TIMEOUT'],
    ['that Drizzle wraps', failure({ cause: failure({ code: '25006' }) }), '25006'],
    ['that Prisma wraps', failure({ code: 'P2010', meta: { code: '42501' } }), '42501'],
  ])('knows the error %s', (_, error, code) => {
    expect(explainFailure(error)).toMatchObject({
      code,
      reason: expect.stringMatching(/^[a-z]/),
      advice: expect.stringMatching(/^[a-z]/),
    })
  })

  it.each([
    undefined,
    null,
    'text',
    7,
    {},
    new Error('odd'),
    failure({ code: 7 }),
    failure({ code: 'toString' }),
  ])('says nothing of %s', (error) => {
    expect(explainFailure(error)).toBeUndefined()
  })

  it('ends with causes that go round', () => {
    const error = failure({})
    error.cause = error
    expect(explainFailure(error)).toBeUndefined()
  })

  it('is one line for a log, without the message of the error', () => {
    const line = describeFailure(failure({ code: '53300' }, 'too many for user secret-name'))
    expect(line).toBe(
      'it has no connection left (53300): make the pools of all processes together smaller than its limit, or raise the limit',
    )
    expect(describeFailure(new Error('odd'))).toBe('odd')
    expect(describeFailure('a secret')).toBe('string')
  })
})
