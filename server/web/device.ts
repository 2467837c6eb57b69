/*
 * A user agent as a person would say it: "Firefox on Linux". A guess for a list, and nothing to
 * decide by.
 */

/** Browsers, the more particular before those whose words they borrow. */
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

/** Names a device; the text's beginning where nothing is known about it. */
export function nameDevice(userAgent: unknown): string {
  if (typeof userAgent !== 'string' || userAgent === '') return 'Unknown device'
  const nameIn = (rows: typeof BROWSERS): string | undefined =>
    rows.find(([pattern]) => pattern.test(userAgent))?.[1]
  const browser = nameIn(BROWSERS) ?? userAgent.slice(0, 24)
  const system = nameIn(SYSTEMS)
  return system === undefined ? browser : `${browser} on ${system}`
}
