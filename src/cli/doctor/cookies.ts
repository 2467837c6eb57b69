/** What the cookies of a deployment say to browsers. */
import { type Finding, toFinding, toSkipped, toSound } from './checks.ts'

/** A cookie in `Set-Cookie`, with its attributes in lower case. */
interface SetCookie {
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
}

/** Looks at the `Set-Cookie` lines of a logout. */
export function checkCookieLines(lines: readonly string[]): Finding[] {
  const cookies = lines.map(parse)
  if (cookies.length === 0) return [toSkipped('cookies-not-secure', 'It sets no cookies')]
  const findings = RULES.flatMap(([id, isWrong, what]) => {
    const names = cookies.filter(isWrong).map(({ name }) => name)
    return names.length === 0 ? [] : [toFinding(id, `${what}: ${names.join(', ')}`)]
  })
  return findings.length === 0
    ? [toSound('cookies-not-secure', `${cookies.length} cookies are sound`)]
    : findings
}

/** What is wrong with a cookie. The one of the CSRF value is read by scripts. */
const RULES: readonly (readonly [id: string, isWrong: (cookie: SetCookie) => boolean, what: string])[] = [
  ['cookies-not-secure', ({ attributes }) => !attributes.has('secure'), 'Cookies without Secure'],
  [
    'cookies-readable',
    ({ name, attributes }) => !attributes.has('httponly') && !/csrf/i.test(name),
    'Cookies without HttpOnly',
  ],
  [
    'cookies-same-site',
    ({ attributes }) => !/^(?:lax|strict)$/i.test(attributes.get('samesite') ?? ''),
    'Cookies that other sites send',
  ],
  ['cookies-domain', ({ attributes }) => attributes.has('domain'), 'Cookies that all subdomains get'],
  ['cookie-prefix', breaksPrefix, 'Cookies whose attributes break the prefix of their names'],
]

/** RFC 6265bis section 4.1.3. */
function breaksPrefix({ name, attributes }: SetCookie): boolean {
  const isSecure = attributes.has('secure')
  if (name.startsWith('__Secure-')) return !isSecure
  if (!name.startsWith('__Host-')) return false
  return !isSecure || attributes.has('domain') || attributes.get('path') !== '/'
}

function parse(line: string): SetCookie {
  const [pair = '', ...others] = line.split(';').map((part) => part.trim())
  const attributes = others.map((part): [string, string] => {
    const [name = '', value = ''] = part.split('=', 2)
    return [name.toLowerCase(), value]
  })
  return { name: pair.split('=', 1)[0] ?? '', attributes: new Map(attributes) }
}
