/** A production build of Astro with `@astrojs/node`. */
import { build, start, writeApp } from './apps.ts'
import { describeApp } from './apps-suite.ts'
import { findProgram } from './packages.ts'

describeApp(
  'Astro',
  {
    signIn: '/sign-in',
    signOut: '/sign-out',
    rename: '/',
    refreshed: { '/': 200, '/api/me': 200, '/nowhere': 404 },
    prerendered: '/about/',
    refreshesForms: true,
  },
  async () => {
    const folder = writeApp('astro', /^Astro/, 'src/auth.ts')
    await build(folder, [findProgram('astro'), 'build'])
    return start(folder, () => [process.execPath, 'dist/server/entry.mjs'])
  },
)
