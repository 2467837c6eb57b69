import { node } from '@elysiajs/node'
import { createApp } from './app.ts'

createApp({ adapter: node() }).listen(Number(process.env['PORT']))
