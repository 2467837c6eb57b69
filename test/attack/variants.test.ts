/** One case, many attacks: what a list means, and where it means itself. */
import { describe, expect, it } from 'vitest'
import type { Json } from '../../attack/cases.ts'
import { toVariants } from '../../attack/variants.ts'

const steps = (...list: Json[]) => toVariants(list).map((variant) => variant.steps)

describe('toVariants', () => {
  it('leaves a case without choices alone', () => {
    expect(toVariants([{ login: { user: 'alice', save: 'A' } }])).toEqual([
      { label: '', steps: [{ login: { user: 'alice', save: 'A' } }] },
    ])
  })

  it('takes a list once per element, and a list inside it as a list', () => {
    const claims = (aud: Json) => [{ mint: { claims: { aud } } }]
    expect(steps({ mint: { claims: { aud: ['other', ['other'], [['api']], []] } } })).toEqual(
      (['other', ['other'], [['api']], []] as Json[]).map(claims),
    )
    expect(steps({ mint: { header: { crit: [['x-mfa']] } } })).toEqual([
      [{ mint: { header: { crit: ['x-mfa'] } } }],
    ])
    expect(steps({ mint: { claims: { aud: [] } } })).toEqual([claims([])])
  })

  it('combines lists and names the choice', () => {
    const variants = toVariants([
      { request: { method: ['OPTIONS', 'GET'], path: '/protected', headers: { Origin: ['a', 'b'] } } },
    ])
    expect(variants.map(({ label }) => label)).toEqual([
      'request.method="OPTIONS" request.headers.Origin="a"',
      'request.method="OPTIONS" request.headers.Origin="b"',
      'request.method="GET" request.headers.Origin="a"',
      'request.method="GET" request.headers.Origin="b"',
    ])
  })

  it('looks inside steps that contain one', () => {
    expect(steps({ repeat: { n: 2, step: { request: { bearer: ['a', 'b'] } } } })).toHaveLength(2)
    expect(steps({ parallel: { n: 2, request: { body: [1, 2, 3] } } })).toHaveLength(3)
  })

  it('keeps an own __proto__ in a body', () => {
    const [variant] = steps({ request: { body: [JSON.parse('{"__proto__":1}')] } })
    expect(JSON.stringify(variant)).toContain('"body":{"__proto__":1}')
  })

  it('knows words that stand for several attacks', () => {
    const fns = (fn: string) => steps({ mutate: { fn } }).map(([step]) => Object(step).mutate.fn)
    expect(fns('pad_equals:header|signature')).toEqual([
      'pad_equals:header',
      'pad_equals:header,resign',
      'pad_equals:signature',
    ])
    expect(fns('flip_unused_bits:payload,resign')).toEqual(['flip_unused_bits:payload,resign'])
    expect(fns('json_serialization')).toHaveLength(2)
    expect(steps({ mint: { key: 'retired' } })).toHaveLength(2)
    expect(steps({ login: { extra_claims: { sub: 'admin', exp: 1 } } })).toHaveLength(3)
    expect(steps({ mint: { header_raw: '{"alg":"none","\\u0061lg":"HS256"}' } })).toHaveLength(2)
    expect(steps({ mint: { header_raw: '{"alg":"none"}' } })).toHaveLength(1)
  })

  it('refuses a flood of combinations', () => {
    const many = Array.from({ length: 100 }, (_, index) => index)
    expect(() => toVariants([{ mint: { claims: { a: many, b: many } } }])).toThrow(
      '10000 combinations, at most 5000 are run',
    )
  })
})
