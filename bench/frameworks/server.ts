/**
 * One application in a process of its own, so that nothing but it is measured. It says where it listens, and tells how much
 * processor time the process has used whenever it is asked.
 */
import type { AddressInfo } from 'node:net'
import { APPS, serveApp } from './apps.ts'

const [index = '', secret = ''] = process.argv.slice(2)
const app = APPS[Number(index)]
if (app === undefined) throw new RangeError(`There is no application ${index}`)
const server = await serveApp(app, secret)

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ used: user + system })
})
process.on('disconnect', () => process.exit())
process.send?.({ port: (server.address() as AddressInfo).port })
