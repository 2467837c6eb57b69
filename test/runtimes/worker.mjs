// Runs the suite in a Worker: everything but the tests themselves happens at module scope, the
// tests in a request.
import { handle, run } from './suite.mjs'

// Workers refuse `redirect: 'error'`, by which the client keeps passwords from being sent on.
const WITHOUT = ['the client']

export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== '/run') return handle(request)
    const lines = []
    await run((line) => lines.push(line), WITHOUT)
    return new Response(lines.join('\n'))
  },
}
