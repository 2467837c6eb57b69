/**
 * A front of a server for one visitor: an address of its own on this machine, so that browsers keep
 * its cookies and its storage apart, with the page and the modules of the client under `/tab/`. It
 * counts what comes, and loses, refuses or holds back on demand.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { ROOT } from '../../server/process.ts'

/** What happens to a request: nothing, its response is lost after the work was done, or another response comes. */
export type Fault = 'lost' | { status: number; headers?: Record<string, string>; body?: string } | undefined

/** What came. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export interface Front {
  readonly url: string
  /** The requests that came for the server, as `METHOD /path`. */
  readonly wire: readonly string[]
  count(path: string): number
  /** Decides on each request; holds it back while the promise is open. */
  fault: (seen: Seen) => Fault | Promise<Fault>
  /** Removes what sets cookies, as a browser does that refuses them. */
  refusesCookies: boolean
}

/** What a page under `/tab/` is made of, by its path and search. */
export type Pages = (path: string, search: URLSearchParams) => string | undefined

/** A certificate that no one trusts; the browsers are told to take it. */
let certificate: { key: string; cert: string } | undefined

function createCertificate(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-certificate-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const args = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost'
  execFileSync('openssl', [...args.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' })
  certificate = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  rmSync(folder, { recursive: true })
  return certificate
}

let visitors = 0

/** Starts one. */
export async function startFront(target: string, isSecure: boolean, pages: Pages): Promise<Front> {
  const wire: string[] = []
  const front: Front = {
    url: '',
    wire,
    count: (path) => wire.filter((line) => line.endsWith(` ${path}`)).length,
    fault: () => undefined,
    refusesCookies: false,
  }
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    if (pathname.startsWith('/tab/')) return serve(response, pathname, pages(pathname, searchParams))
    const { method = 'GET', headers } = request
    wire.push(`${method} ${pathname}`)
    const body = await readAll(request)
    const fault = await front.fault({ method, path: pathname, headers })
    if (typeof fault === 'object') {
      response.writeHead(fault.status, fault.headers).end(fault.body)
      return
    }
    const answer = await forward(new URL(request.url ?? '/', target), method, headers, body)
    if (fault === 'lost') return void request.socket.destroy()
    if (front.refusesCookies) delete answer.headers['set-cookie']
    response.writeHead(answer.status, answer.headers).end(answer.body)
  }
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response).catch(() => request.socket.destroy())
  }
  const server = isSecure
    ? createTlsServer(certificate ?? createCertificate(), listener)
    : createServer(listener)
  visitors++
  const host = `127.${(process.pid >> 8) & 255}.${process.pid & 255}.${(visitors % 250) + 2}`
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `${isSecure ? 'https' : 'http'}://${host}:${(server.address() as AddressInfo).port}`
  return Object.assign(front, { url })
}

/** The page, or a module of the built client. */
function serve(response: ServerResponse, path: string, page: string | undefined): void {
  const isScript = path.endsWith('.js')
  const file = join(ROOT, 'dist/esm', path.replace('/tab/', ''))
  response
    .writeHead(200, { 'Content-Type': isScript ? 'text/javascript' : 'text/html' })
    .end(page ?? readFileSync(file))
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function forward(
  url: URL,
  method: string,
  headers: IncomingMessage['headers'],
  body: Buffer,
): Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = send(url, { method, headers }, (answer) => {
      readAll(answer).then(
        (content) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: content }),
        reject,
      )
    })
    request.on('error', reject).end(body)
  })
}
