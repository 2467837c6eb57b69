import { describe, expect, it } from 'vitest'
import { type HttpOptions, resolveHttp } from '../../src/http/resolve-http-options.ts'

describe('the HTTP settings', () => {
  it('are those of all modules', () => {
    const settings = resolveHttp({ locations: ['header', 'cookie'], csrf: 'token' }, 60, 'api')
    expect([...settings.sources.locations]).toEqual(['header', 'cookie'])
    expect(settings.sources.cookies).toBe(settings.cookies)
    expect(settings.cookies.refreshTtl).toBe(60)
    expect(settings.csrf.checksOrigin).toBe(false)
    expect(settings.realm).toBe('api')
    expect(Object.isFrozen(settings)).toBe(true)
  })

  it.each<[string, boolean, HttpOptions]>([
    [
      'SameSite=None with CSRF off',
      false,
      { locations: ['cookie'], cookies: { sameSite: 'None' }, csrf: false },
    ],
    [
      'SameSite=None with the origin check',
      true,
      { locations: ['cookie'], cookies: { sameSite: 'None' }, csrf: 'origin' },
    ],
    ['SameSite=None where no cookie is read', true, { cookies: { sameSite: 'None' }, csrf: false }],
    ['SameSite=Lax with CSRF off', true, { locations: ['cookie'], csrf: false }],
  ])('%s may be used: %s', (_, allowed, options) => {
    const prepare = () => resolveHttp(options, 60, undefined)
    if (allowed) expect(prepare).not.toThrow()
    else expect(prepare).toThrow(expect.objectContaining({ name: 'ConfigurationError' }))
  })
})
