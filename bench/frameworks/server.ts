/**
 * One application in a process of its own. It says where it listens, and tells how much processor
 * time the process has used whenever it is asked. Before it does so it clears away short-lived
 * garbage, so that a turn pays for its own.
 */
import type { AddressInfo } from 'node:net'
import { APPS, serveApp } from './apps.ts'

const [framework, guard, secret = ''] = process.argv.slice(2)
const app = APPS.find((each) => each.framework === framework && each.guard === guard)
if (app === undefined) throw new Error(`Nothing is served by ${framework} behind ${guard}`)
const { port } = (await serveApp(app, secret)).address() as AddressInfo

process.on('message', () => {
  globalThis.gc?.({ type: 'minor', execution: 'sync' })
  const { user, system } = process.cpuUsage()
  process.send?.({ used: user + system })
})
process.on('disconnect', () => process.exit())
process.send?.({ port })
