/** A production build of React Router in framework mode, served by `react-router-serve`. */
import { build, start, writeApp } from './apps.ts'
import { describeApp } from './apps-suite.ts'
import { findProgram } from './packages.ts'

describeApp(
  'React Router',
  {
    signIn: '/sign-in',
    signOut: '/sign-out',
    rename: '/?index',
    refreshed: { '/': 200, '/api/me': 200, '/_root.data': 200 },
    foreignForm: 400,
    refreshesForms: true,
  },
  async () => {
    const folder = writeApp('react-router', /^React Router/, 'app/auth.server.ts')
    await build(folder, [findProgram('react-router'), 'build'])
    return start(folder, () => [process.execPath, findProgram('react-router-serve'), 'build/server/index.js'])
  },
)
