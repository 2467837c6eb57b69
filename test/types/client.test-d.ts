/** The options of the client: a wrong name or value does not compile, so nothing checks them in the page. */
import { describe, expectTypeOf, it } from 'vitest'
import { type AuthClientOptions, createAuthClient } from '../../src/client.ts'

describe('createAuthClient', () => {
  it('takes every option, and requires no option', () => {
    createAuthClient()
    const options: Required<AuthClientOptions> = {
      baseUrl: 'https://api.example.com',
      basePath: '/auth',
      delivery: 'cookie',
      storage: null,
      csrf: { cookie: 'csrf_token', header: 'X-CSRF-Token' },
      onStepUp: ({ maxAge, signal }) => maxAge === undefined || signal.aborted,
      onSignedOut: (reason) => reason === 'logout',
      timeout: 10,
      debug: true,
      platform: { now: () => 0 },
    }
    expectTypeOf(createAuthClient).toBeCallableWith(options)
  })

  it('refuses every other name', () => {
    // @ts-expect-error the option is `baseUrl`
    createAuthClient({ baseURL: 'https://api.example.com' })
    // @ts-expect-error the option is `basePath`
    createAuthClient({ path: '/auth' })
    // @ts-expect-error the option is `onSignedOut`
    createAuthClient({ onSignOut: () => undefined })
    // @ts-expect-error the option is `delivery`
    createAuthClient({ mode: 'cookie' })
    // @ts-expect-error the name is `cookie`
    createAuthClient({ csrf: { cookieName: 'x' } })
    // @ts-expect-error the name is `now`
    createAuthClient({ platform: { clock: () => 0 } })
  })

  it('refuses every other type', () => {
    // @ts-expect-error a text, not a `URL`
    createAuthClient({ baseUrl: new URL('https://api.example.com') })
    // @ts-expect-error no such delivery
    createAuthClient({ delivery: 'header' })
    // @ts-expect-error seconds, as a number
    createAuthClient({ timeout: '10s' })
    // @ts-expect-error the storage itself, not its name
    createAuthClient({ storage: 'localStorage' })
    // @ts-expect-error a storage has three methods
    createAuthClient({ storage: { getItem: () => null } })
    // @ts-expect-error a function
    createAuthClient({ onStepUp: true })
    // @ts-expect-error true or false
    createAuthClient({ debug: 'tokens' })
  })
})
