/**
 * The applications of one framework in one process, each on a port of its own. It says where they listen, and tells how much processor
 * time the process has used whenever it is asked. Before it does so it clears away short-lived garbage, so that nobody pays for another's.
 */
import type { AddressInfo } from 'node:net'
import { APPS, serveApp } from './apps.ts'

const [framework = '', secret = ''] = process.argv.slice(2)
const ports: number[] = []
for (const app of APPS.filter((each) => each.framework === framework)) {
  ports.push(((await serveApp(app, secret)).address() as AddressInfo).port)
}

process.on('message', () => {
  globalThis.gc?.({ type: 'minor', execution: 'sync' })
  const { user, system } = process.cpuUsage()
  process.send?.({ used: user + system })
})
process.on('disconnect', () => process.exit())
process.send?.({ ports })
