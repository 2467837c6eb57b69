/** The MCP server of the example, and the client of the SDK: with a token, and without. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { expect, it } from 'vitest'
import { freePort } from '../stores/redis-server.ts'
import { inThePast, send, startExample, tokensOf } from './program.ts'

async function start() {
  const port = await freePort()
  const MCP_URL = `http://127.0.0.1:${port}/mcp`
  const { url } = await startExample('mcp', { PORT: String(port), MCP_URL })
  return { url, mcp: new URL(MCP_URL) }
}

/** Calls the tool as a client of the SDK. */
async function whoami(mcp: URL, token?: string): Promise<unknown> {
  const client = new Client({ name: 'test', version: '1.0.0' })
  const headers = token === undefined ? undefined : { Authorization: `Bearer ${token}` }
  const transport = new StreamableHTTPClientTransport(mcp, headers && { requestInit: { headers } })
  await client.connect(transport as Parameters<typeof client.connect>[0])
  const { content } = await client.callTool({ name: 'whoami' })
  await client.close()
  return content
}

it('tells the tool who calls, and the client where the metadata is', async () => {
  const { url, mcp } = await start()
  const login = await send(url, 'POST /auth/login', { json: { username: 'test', password: 'test' } })
  const { access } = tokensOf(login)
  expect(await whoami(mcp, access)).toEqual([{ type: 'text', text: 'test' }])

  await expect(whoami(mcp)).rejects.toThrow(/Missing Authorization header/)
  const metadata = `${url}/.well-known/oauth-protected-resource/mcp`
  const refused = await send(url, 'POST /mcp', { json: {} })
  expect(refused.status).toBe(401)
  expect(refused.headers.get('www-authenticate')).toContain(`resource_metadata="${metadata}"`)
  expect(await (await fetch(metadata)).json()).toEqual({
    resource: mcp.href,
    scopes_supported: ['posts:read'],
    bearer_methods_supported: ['header'],
    resource_name: 'The posts',
  })

  await expect(
    whoami(mcp, await inThePast(3600).createAccessToken('test', { audience: mcp.href })),
  ).rejects.toThrow(/expired/)
  expect((await send(url, 'POST /auth/logout', { token: access })).status).toBe(204)
  await expect(whoami(mcp, access)).rejects.toThrow(/Invalid token/)
})
