/** Whether all nodes of a deployment have the same keys and the same time. */
import { createAuth } from '../../auth/create-auth.ts'
import { ERRORS } from '../../errors.ts'
import { isLoopback } from '../../internal/loopback.ts'
import type { KeyRing } from '../../token/ring.ts'
import { type Finding, toFinding, toSkipped, toSound } from './checks.ts'
import { readResponse, sendRequest, toBasePath, toNetworkReason } from './requests.ts'

/** By how many seconds the clock of a node may differ. `Date` has whole ones. */
const CLOCK_DIFFERENCE = 6

/** Looks at each node. @param ring the keys that are configured here; null for none */
export async function checkNodes(urls: readonly URL[], ring: KeyRing | null): Promise<Finding[]> {
  const findings: Finding[] = []
  const sets = new Map<string, string>()
  const own = ring === null ? '' : toKids(ring.jwks.keys)
  if (own !== '') sets.set('the key file', own)
  for (const url of urls) {
    try {
      const response = await sendRequest(url, '/.well-known/jwks.json', 'GET')
      const { keys } = await readResponse(response)
      if (Array.isArray(keys)) sets.set(url.origin, toKids(keys))
      findings.push(...checkNodeClock(url, response.headers), ...(await checkKeys(url, ring)))
    } catch (error) {
      // The first one was told of.
      if (url !== urls[0])
        findings.push(toFinding('url-unreachable', `${url.origin}: ${toNetworkReason(error)}`))
    }
  }
  return [...findings, compareSets(sets)]
}

function checkNodeClock({ origin }: URL, headers: Headers): Finding[] {
  const apart = Date.parse(headers.get('date') ?? '') / 1000 - Date.now() / 1000
  if (!(Math.abs(apart) > CLOCK_DIFFERENCE)) return []
  return [toFinding('node-clock', `The clock of ${origin} is ${apart.toFixed(0)} s from this one`)]
}

/** Secrets are in no key set, and then there is nothing to compare. */
function compareSets(sets: ReadonlyMap<string, string>): Finding {
  const different = new Set(sets.values())
  if (sets.size < 2 || (different.size === 1 && different.has('')))
    return toSkipped('jwks-differs', 'fewer than two sets of public keys to compare')
  if (different.size === 1) return toSound('jwks-differs', `${sets.size} key sets are the same`)
  const told = [...sets].map(([name, kids]) => `${name}: ${kids || 'no public key'}`).join('; ')
  return toFinding('jwks-differs', `The key sets differ: ${told}`)
}

function toKids(keys: readonly { readonly kid?: unknown }[]): string {
  return keys
    .map(({ kid }) => String(kid))
    .sort()
    .join(', ')
}

/** How long ago the token that is sent was issued, in seconds: it has long expired. */
const LONG_AGO = 86_400

/**
 * Whether a node knows the key that signs here. It is sent a token that has expired: a node with
 * the key says so, and one without it that the signature is wrong.
 */
async function checkKeys(url: URL, ring: KeyRing | null): Promise<Finding[]> {
  if (ring === null || ring.signer === null || !isSafe(url)) return []
  const auth = createAuth({ keys: ring, clock: () => Date.now() / 1000 - LONG_AGO })
  const authorization = `Bearer ${await auth.createAccessToken('doctor')}`
  const response = await sendRequest(url, `${toBasePath(url)}/sessions`, 'GET', { authorization })
  const { error_type: type } = await readResponse(response)
  if (type === ERRORS.signature_invalid.type)
    return [toFinding('keys-elsewhere', `${url.origin} does not know the key that is configured here`)]
  return type === ERRORS.token_expired.type
    ? [toSound('keys-elsewhere', `${url.origin} knows the key that is configured here`)]
    : [toSkipped('keys-elsewhere', `${url.origin} does not say whether it knows the key of a token`)]
}

/** Whether no one reads what is sent. */
function isSafe({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || isLoopback(hostname)
}
