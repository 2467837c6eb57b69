/**
 * Refresh endpoints as others design them, each a small server that speaks real HTTP: strict single use, a new token within
 * the window, the previous token only. All keep one row per login and step up the row, as most do; what differs is one function.
 */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type RefreshEndpoint, toHttpEndpoint } from 'refresh-races'
import { randomId } from '../../src/internal/bytes.ts'

/** The usual lengths, in seconds. */
const RULES = { overlap: 30, life: 900 }

/** One login. */
interface Row {
  current: string
  previous: string
  rotatedAt: number
  revoked: boolean
  elevated: boolean
}

/** Decides over a presented token: the token to answer, or null for a reuse. */
type Design = (row: Row, token: string, now: number, overlap: number) => string | null

function rotate(row: Row, previous: string, now: number): string {
  row.previous = previous
  row.current = randomId()
  row.rotatedAt = now
  return row.current
}

const isForgiven: (...call: Parameters<Design>) => boolean = (row, token, now, overlap) =>
  token === row.previous && now - row.rotatedAt <= overlap

/** The designs by their names. */
export const DESIGNS: Readonly<Record<string, Design>> = {
  'strict single use': (row, token, now) => (token === row.current ? rotate(row, token, now) : null),

  // The window is measured from the first use; each use within it puts another token in the place of the one before.
  'new token in the window': (row, token, now, overlap) => {
    if (token === row.current) return rotate(row, token, now)
    if (!isForgiven(row, token, now, overlap)) return null
    row.current = randomId()
    return row.current
  },

  'previous token only': (row, token, now, overlap) => {
    if (token === row.current) return rotate(row, token, now)
    return isForgiven(row, token, now, overlap) ? row.current : null
  },
}

/** A server of one design. Tokens are `sid.name`. */
function toListener(design: Design, clock: () => number, { overlap, life }: typeof RULES): RequestListener {
  const rows = new Map<string, Row>()
  const answer = (sid: string, { current, elevated }: Row, name = current): object => ({
    access_token: `${sid}.${elevated ? 'elevated' : 'plain'}`,
    refresh_token: `${sid}.${name}`,
    expires_in: life,
  })
  const serve = (path: string, [sid = '', name = '']: readonly string[]): object | null => {
    if (path === '/login') {
      const id = randomId()
      const row = { current: randomId(), previous: '', rotatedAt: clock(), revoked: false, elevated: false }
      rows.set(id, row)
      return answer(id, row)
    }
    const row = rows.get(sid)
    if (row === undefined || row.revoked) return null
    if (path === '/verify-password') {
      row.elevated = true
      return answer(sid, row)
    }
    const next = design(row, name, clock(), overlap)
    if (next === null) row.revoked = true
    return next === null ? null : answer(sid, row, next)
  }
  return (request, response) => {
    const [, token = ''] = (request.headers.authorization ?? '').split(' ')
    request.resume().on('end', () => {
      const body = serve(request.url ?? '', token.split('.'))
      response.writeHead(body === null ? 401 : 200, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify(body ?? { error: 'invalid_grant' }))
    })
  }
}

/** A server on a free port, and how to close it. */
export interface Served {
  readonly url: string
  close(): void
}

/** Listens on a free port of this machine. */
export async function serve(listener: RequestListener): Promise<Served> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Serves a design in the simulator's time. */
export async function serveDesign(
  design: Design,
  clock: () => number,
  rules = RULES,
): Promise<{ endpoint: RefreshEndpoint; close(): void }> {
  const { url, close } = await serve(toListener(design, clock, rules))
  const isElevated = (access: string): boolean => access.endsWith('.elevated')
  return { endpoint: toHttpEndpoint({ url, login: {}, stepUp: {}, isElevated }), close }
}
