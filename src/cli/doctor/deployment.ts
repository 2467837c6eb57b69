/**
 * What a deployment shows to anyone: its routes without a token, its key sets. Nothing is logged in
 * and nothing changes. The first URL is that of the users; others may be single nodes.
 */
import { isLoopback } from '../../internal/loopback.ts'
import { UsageError } from '../command.ts'
import { type Finding, toFinding, toSkipped, toSound } from './checks.ts'
import { checkCookieLines } from './cookies.ts'

/** How long a request may take, in milliseconds. */
const LONGEST = 5000

/** Where the routes are below an origin, unless the URL says it. */
const BASE_PATH = '/auth'

/** Another origin, which no deployment expects. */
const STRANGER = 'https://doctor.invalid'

/** Reads the URL of a deployment. @throws {UsageError} for any other text */
export function readDeployment(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '') return url
  throw new UsageError('Expected --url with the address of a deployment, such as https://app.example.com')
}

/** Whether users reach it over a network. */
export function isPublic({ hostname }: URL): boolean {
  return !isLoopback(hostname)
}

/** Looks at a deployment. @param ownKids the names of the keys in its key file; null for no file */
export async function checkDeployment(
  urls: readonly URL[],
  ownKids: readonly string[] | null,
): Promise<Finding[]> {
  const [url] = urls
  if (url === undefined) return [toSkipped('url-unreachable', 'no --url of a deployment')]
  const findings: Finding[] = []
  if (url.protocol === 'http:' && isPublic(url))
    findings.push(toFinding('https-missing', `${url.origin} is not https`))
  try {
    findings.push(...(await checkRoutes(url)), ...(await checkTransport(url)))
  } catch (error) {
    findings.push(toFinding('url-unreachable', `${url.origin}: ${toReason(error)}`))
  }
  return [...findings, ...(await checkNodes(urls, ownKids))]
}

/** Sends a request as a browser would from a page of an origin. */
function send(
  url: URL,
  path: string,
  method: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  const signal = AbortSignal.timeout(LONGEST)
  return fetch(new URL(path, url), { method, headers, redirect: 'manual', signal })
}

/** Why a request failed. The reason is in the cause. */
function toReason(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: string; message?: string }; message: string }
  return cause?.code || cause?.message || message
}

async function checkRoutes(url: URL): Promise<Finding[]> {
  const base = url.pathname === '/' ? BASE_PATH : url.pathname.replace(/\/$/, '')
  const own = await send(url, `${base}/logout`, 'POST', { origin: url.origin })
  const { error_type: type } = Object(await own.json().catch(() => ({}))) as { error_type?: unknown }
  if (own.status !== 204 && type === undefined)
    return [toFinding('routes-missing', `${url.origin}${base} has no routes of this package`)]
  const findings: Finding[] = []
  const isRefused = own.status === 403
  if (isRefused)
    findings.push(
      toFinding(
        'proxy-headers',
        `A request of its own page is refused: it does not know that it is ${url.origin}`,
      ),
    )
  else findings.push(toSound('proxy-headers', 'It knows its own origin'))
  const strange = await send(url, `${base}/logout`, 'POST', { origin: STRANGER })
  findings.push(
    strange.status === 403
      ? toSound('origin-unchecked', 'A request of another site is refused')
      : toFinding('origin-unchecked', 'A request of another site is accepted'),
  )
  findings.push(await checkCors(url, base))
  if (isRefused) return findings
  return [...findings, ...checkCookieLines(own.headers.getSetCookie()), checkCaching(own.headers)]
}

async function checkCors(url: URL, base: string): Promise<Finding> {
  const { headers } = await send(url, `${base}/session`, 'GET', { origin: STRANGER })
  const allowed = headers.get('access-control-allow-origin')
  const isOpen = allowed === STRANGER || (allowed === '*' && headers.has('access-control-allow-credentials'))
  return isOpen
    ? toFinding('cors-open', 'Pages of any origin can read its responses')
    : toSound('cors-open', 'Pages of another origin read nothing')
}

function checkCaching(headers: Headers): Finding {
  const control = headers.get('cache-control') ?? ''
  return /no-store/i.test(control)
    ? toSound('responses-cacheable', 'Responses with cookies are kept by no cache')
    : toFinding('responses-cacheable', 'A response with cookies has no Cache-Control: no-store')
}

/** Whether http leads to https, and browsers remember it. */
async function checkTransport(url: URL): Promise<Finding[]> {
  if (url.protocol !== 'https:') return []
  const { headers } = await send(url, '/', 'GET')
  const findings = [
    headers.has('strict-transport-security')
      ? toSound('hsts-missing', 'Browsers remember that it is https')
      : toFinding('hsts-missing', 'It sends no Strict-Transport-Security'),
  ]
  if (url.port !== '') return [...findings, toSkipped('http-open', 'on a port of its own')]
  const plain = await send(new URL(`http://${url.host}`), '/', 'GET').catch(() => null)
  const target = plain?.headers.get('location') ?? ''
  const isOpen = plain !== null && !target.startsWith('https:')
  const finding = isOpen
    ? toFinding('http-open', `http://${url.host} responds, and does not lead to https`)
    : toSound('http-open', 'http leads to https, or nowhere')
  return [...findings, finding]
}

/** By how many seconds the clock of a node may differ. `Date` has whole ones. */
const CLOCK_DIFFERENCE = 6

/** Compares the key sets and clocks of the nodes. */
async function checkNodes(urls: readonly URL[], ownKids: readonly string[] | null): Promise<Finding[]> {
  const sets = new Map<string, string>()
  const findings: Finding[] = []
  if (ownKids !== null) sets.set('the key file', toKids(ownKids))
  for (const url of urls) {
    try {
      const response = await send(url, '/.well-known/jwks.json', 'GET')
      const { keys } = Object(await response.json().catch(() => ({}))) as {
        keys?: readonly { kid?: unknown }[]
      }
      if (Array.isArray(keys)) sets.set(url.origin, toKids(keys.map(({ kid }) => String(kid))))
      const apart = Date.parse(response.headers.get('date') ?? '') / 1000 - Date.now() / 1000
      if (Math.abs(apart) > CLOCK_DIFFERENCE)
        findings.push(
          toFinding('node-clock', `The clock of ${url.origin} is ${apart.toFixed(0)} s from this one`),
        )
    } catch (error) {
      // The first one was told of.
      if (url !== urls[0]) findings.push(toFinding('url-unreachable', `${url.origin}: ${toReason(error)}`))
    }
  }
  if (sets.size < 2) return [...findings, toSkipped('jwks-differs', 'fewer than two key sets to compare')]
  const isSame = new Set(sets.values()).size === 1
  const told = [...sets].map(([name, kids]) => `${name}: ${kids || 'no public key'}`).join('; ')
  return [
    ...findings,
    isSame
      ? toSound('jwks-differs', `${sets.size} key sets are the same`)
      : toFinding('jwks-differs', `The key sets differ: ${told}`),
  ]
}

function toKids(kids: readonly string[]): string {
  return [...kids].sort().join(', ')
}
