/** The service with the session store, as a process of its own: Express and the built library. */
import type { AddressInfo } from 'node:net'
import express from 'express'
import { toNodeHandler } from '../../../src/adapters/node.ts'
import { createAuth, createKeyRing, type Jwk } from '../../../src/index.ts'
import { authRoutes } from '../../../src/routes.ts'
import { connect, type StoreSpec } from '../../processes/node/connect.ts'

/** What the test says of it. */
export interface IssuerSpec {
  readonly store: StoreSpec
  readonly key: Jwk
  readonly issuer: string
  readonly client: { readonly id: string; readonly secret: string }
  readonly port: number
}

const { store, key, issuer, client, port }: IssuerSpec = JSON.parse(process.env['TOKENWRIGHT_ISSUER'] ?? '')
process.on('disconnect', () => process.exit())

const auth = createAuth({
  keys: createKeyRing({ signing: key }),
  issuer,
  audience: 'api',
  sessions: { store: connect(store).store },
})
const handle = authRoutes(auth, {
  verifyCredentials: ({ username }) => ({ subject: username }),
  throttle: false,
  verifyClient: ({ id, secret }) => id === client.id && secret === client.secret,
})
const app = express()
app.post('/end-all/:sub', async (req, res) => {
  await auth.sessions.endAll(req.params.sub)
  res.end()
})
app.use(toNodeHandler(handle))
const server = app.listen(port, '127.0.0.1', () => {
  const { port: bound } = server.address() as AddressInfo
  process.send?.(`http://127.0.0.1:${bound}`)
})
