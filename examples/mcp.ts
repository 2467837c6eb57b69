/**
 * A server of the Model Context Protocol that takes our tokens (`@modelcontextprotocol/sdk`): its
 * middleware asks our verifier. A client without a token learns from the challenge where the
 * metadata of the resource is (RFC 9728). A tool knows who calls it.
 *
 *     npm run example -- mcp
 *
 * Log in, and give the token to an MCP client as a header:
 *
 *     curl -d username=test -d password=test localhost:8000/auth/login
 *
 * Clients that send their users to log in by themselves need an authorization server, such as
 * Keycloak: name it in `authorizationServers`, and trust its tokens.
 */
import { createServer, type IncomingMessage } from 'node:http'
import * as errors from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import express from 'express'
import { createAuth } from 'tokenwright'
import { mcpVerifier } from 'tokenwright/mcp'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { listen, secretOfThisRun } from './shared/serve.ts'
import { verifyCredentials } from './shared/users.ts'

/** The URL at which clients reach the server. Its tokens are for it alone. */
const { MCP_URL = 'http://localhost:8000/mcp' } = process.env

const auth = createAuth({
  secret: secretOfThisRun(),
  audience: MCP_URL,
  resource: { identifier: MCP_URL, scopes: ['posts:read'], name: 'The posts' },
  sessions: { store: memoryStore() },
})
const verifier = mcpVerifier(auth, { errors, requirement: { scopes: ['posts:read'] } })
const bearer = requireBearerAuth({
  verifier,
  ...(auth.resource !== null && { resourceMetadataUrl: auth.resource.url }),
})

/** The tools of the server. */
function createMcpServer(): McpServer {
  const server = new McpServer({ name: 'posts', version: '1.0.0' })
  server.registerTool('whoami', { description: 'Says who calls' }, ({ authInfo }) => {
    const { sub } = verifier.payloadOf(authInfo)
    return { content: [{ type: 'text', text: sub }] }
  })
  return server
}

const app = express()
app.all('/mcp', bearer, async (req, res) => {
  // A server of its own for each request: nothing is kept in between.
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
  const server = createMcpServer()
  res.on('close', () => void server.close())
  await server.connect(transport as Parameters<typeof server.connect>[0])
  await transport.handleRequest(req as IncomingMessage, res)
})
app.use(toNodeHandler(authRoutes(auth, { verifyCredentials })))

listen(createServer(app))
