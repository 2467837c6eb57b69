// One server for `Bun.serve` and `Deno.serve`: a fetch handler is all that either wants. Prints its
// port.
import { handle } from './suite.mjs'

if (globalThis.Bun) {
  console.log(globalThis.Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: handle }).port)
} else {
  const onListen = ({ port }) => console.log(port)
  globalThis.Deno.serve({ port: 0, hostname: '127.0.0.1', onListen }, handle)
}
