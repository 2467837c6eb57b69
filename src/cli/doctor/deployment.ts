/**
 * What a deployment shows to anyone: its routes without a token, its key sets. Nothing is logged in
 * and nothing changes. The first URL is that of the users; others may be single nodes.
 */
import { isLoopback } from '../../internal/loopback.ts'
import type { KeyRing } from '../../token/ring.ts'
import { UsageError } from '../command.ts'
import { type Finding, toFinding, toSkipped, toSound } from './checks.ts'
import { checkCookieLines } from './cookies.ts'
import { checkNodes } from './nodes.ts'
import { readResponse, sendRequest, toBasePath, toNetworkReason } from './requests.ts'

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

/** Looks at a deployment. @param ring the keys that are configured here; null for none */
export async function checkDeployment(urls: readonly URL[], ring: KeyRing | null): Promise<Finding[]> {
  const [url] = urls
  if (url === undefined) return [toSkipped('url-unreachable', 'no --url of a deployment')]
  const findings: Finding[] = []
  if (url.protocol === 'http:' && isPublic(url))
    findings.push(toFinding('https-missing', `${url.origin} is not https`))
  try {
    findings.push(...(await checkRoutes(url)), ...(await checkTransport(url)))
  } catch (error) {
    findings.push(toFinding('url-unreachable', `${url.origin}: ${toNetworkReason(error)}`))
  }
  return [...findings, ...(await checkNodes(urls, ring))]
}

async function checkRoutes(url: URL): Promise<Finding[]> {
  const base = toBasePath(url)
  const own = await sendRequest(url, `${base}/logout`, 'POST', { origin: url.origin })
  const { error_type: type } = await readResponse(own)
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
  const strange = await sendRequest(url, `${base}/logout`, 'POST', { origin: STRANGER })
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
  const { headers } = await sendRequest(url, `${base}/session`, 'GET', { origin: STRANGER })
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
  const { headers } = await sendRequest(url, '/', 'GET')
  const findings = [
    headers.has('strict-transport-security')
      ? toSound('hsts-missing', 'Browsers remember that it is https')
      : toFinding('hsts-missing', 'It sends no Strict-Transport-Security'),
  ]
  if (url.port !== '') return [...findings, toSkipped('http-open', 'on a port of its own')]
  const plain = await sendRequest(new URL(`http://${url.host}`), '/', 'GET').catch(() => null)
  const target = plain?.headers.get('location') ?? ''
  const isOpen = plain !== null && !target.startsWith('https:')
  const finding = isOpen
    ? toFinding('http-open', `http://${url.host} responds, and does not lead to https`)
    : toSound('http-open', 'http leads to https, or nowhere')
  return [...findings, finding]
}
