// Runs the suites in a Worker: everything but the tests themselves happens at module scope, the
// tests in a request.
import { run } from './checks.mjs'
import * as services from './services.mjs'
import { handle, TESTS } from './suite.mjs'

// Workers refuse `redirect: 'error'`, by which the client keeps passwords from being sent on.
const WITHOUT = ['the client']

const SUITES = { '/run': TESTS, '/run-services': services.TESTS }

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/verify') return services.verifyAsFollower(searchParams.get('token'))
    if (pathname === '/leave') return services.leaveWork(100)
    if (pathname === '/work') return services.doWork()
    const tests = SUITES[pathname]
    if (tests === undefined) return handle(request)
    const lines = []
    await run(tests, (line) => lines.push(line), WITHOUT)
    return new Response(lines.join('\n'))
  },
}
