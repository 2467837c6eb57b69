/*
 * Turns a user agent into a name for people, such as "Firefox on Linux". It is a guess for display,
 * not for decisions.
 */

/** The browsers. A browser stands before those whose names it also contains. */
const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/\bEdg\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bFirefox\//, 'Firefox'],
  [/\b(?:Headless)?Chrome\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
  [/^curl\//, 'curl'],
  [/^node/i, 'Node.js'],
]

const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\b(?:iPhone|iPad)\b/, 'iOS'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
]

/** Names a device, by the beginning of the user agent if the browser is unknown. */
export function nameDevice(userAgent: unknown): string {
  if (typeof userAgent !== 'string' || userAgent === '') return 'Unknown device'
  const nameIn = (rows: typeof BROWSERS): string | undefined =>
    rows.find(([pattern]) => pattern.test(userAgent))?.[1]
  const browser = nameIn(BROWSERS) ?? userAgent.slice(0, 24)
  const system = nameIn(SYSTEMS)
  return system === undefined ? browser : `${browser} on ${system}`
}
