/**
 * One application in its own process. It sends its port, and for each message the processor time
 * that the process has used, in microseconds.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AppName, createApp } from './apps.ts'

const [name, schema = ''] = process.argv.slice(2)
const server = createServer(await createApp(name as AppName, schema)).listen(0, '127.0.0.1')
await once(server, 'listening')
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ used: user + system })
})
process.on('disconnect', () => process.exit())
process.send?.({ port: (server.address() as AddressInfo).port })
