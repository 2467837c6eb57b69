/** Takes passwords out of what is printed. */

/** A password that is shorter is taken out of addresses only: it may be a part of any word. */
const SHORTEST = 4

/**
 * A text without the passwords of some URLs, which drivers repeat in their messages: as they stand
 * in the URL, and decoded. Also without the user of any URL in the text.
 *
 * @param urls URLs, and other texts, which have no effect
 */
export function redact(text: string, urls: readonly string[]): string {
  const secrets = urls.flatMap(readPasswords).filter((secret) => secret.length >= SHORTEST)
  // The longest first: one may be a part of another.
  const sorted = secrets.sort((a, b) => b.length - a.length)
  return sorted.reduce((rest, secret) => rest.replaceAll(secret, '***'), text).replace(/\S+/g, hideUser)
}

/** A word without the user of the URL in it. */
function hideUser(word: string): string {
  const [scheme, user] = [word.indexOf('://'), word.lastIndexOf('@')]
  return scheme === -1 || user < scheme ? word : `${word.slice(0, scheme)}://***${word.slice(user)}`
}

function readPasswords(url: string): string[] {
  const [, inAuthority = ''] = /^[\w+.-]+:\/\/[^:]*:(.*)@/s.exec(url) ?? []
  const inQuery = [...url.matchAll(/[?&;]pass(?:word|wd)?=([^&;#]*)/gi)].map(([, value = '']) => value)
  return [inAuthority, ...inQuery].flatMap((secret) => [secret, decode(secret)])
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
