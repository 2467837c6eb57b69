/**
 * One application in its own process. It sends its port, and for each message the processor time
 * that the process has used. It collects short-lived garbage before, so that each turn pays for its
 * own.
 */
import type { AddressInfo } from 'node:net'
import { APPS, serveApp } from './apps.ts'

const [framework, guard, secret = ''] = process.argv.slice(2)
const app = APPS.find((each) => each.framework === framework && each.guard === guard)
if (app === undefined) throw new Error(`unknown application: ${framework} behind ${guard}`)
const { port } = (await serveApp(app, secret)).address() as AddressInfo

process.on('message', () => {
  globalThis.gc?.({ type: 'minor', execution: 'sync' })
  const { user, system } = process.cpuUsage()
  process.send?.({ used: user + system })
})
process.on('disconnect', () => process.exit())
process.send?.({ port })
