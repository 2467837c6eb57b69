/** A production build of SvelteKit with `@sveltejs/adapter-node`. */

import { build, start, writeApp } from './apps.ts'
import { describeApp } from './apps-suite.ts'
import { findProgram } from './packages.ts'

describeApp(
  'SvelteKit',
  {
    signIn: '/?/signIn',
    signOut: '/?/signOut',
    rename: '/?/rename',
    refreshed: { '/': 200, '/api/me': 200, '/__data.json': 200, '/stream': 200, '/nowhere': 404 },
    prerendered: '/about',
    refreshesForms: true,
  },
  async () => {
    const folder = writeApp('sveltekit', /^SvelteKit/, 'src/lib/server/auth.ts')
    await build(folder, [findProgram('vite'), 'build'])
    return start(
      folder,
      () => [process.execPath, 'build'],
      (url) => ({ ORIGIN: url }),
    )
  },
)
