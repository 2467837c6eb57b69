/** A production build of Nuxt, served by Nitro on Node. */
import { build, start, writeApp } from './apps.ts'
import { describeApp } from './apps-suite.ts'
import { findProgram } from './packages.ts'

describeApp(
  'Nuxt',
  {
    signIn: '/sign-in',
    signOut: '/sign-out',
    rename: '/api/rename',
    refreshed: { '/': 200, '/api/me': 200, '/auth/nowhere': 404 },
    refreshesForms: true,
  },
  async () => {
    const folder = writeApp('nuxt', /^Nuxt/, 'server/utils/auth.ts')
    await build(folder, [findProgram('nuxt'), 'build'])
    return start(folder, () => [process.execPath, '.output/server/index.mjs'])
  },
)
