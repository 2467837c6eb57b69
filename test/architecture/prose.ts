/** The rules of prose: no comment and no line of Markdown over 100 columns, and no retired word. */
import { posix } from 'node:path'
import { parseSync } from 'oxc-parser'

export interface TextFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string
  readonly text: string
}

/** The widest comment and the widest line of Markdown, in columns. */
export const WIDTH = 100

const SCRIPT = /\.(?:[cm]?[jt]sx?)$/
const HASH_COMMENTS = /(?:\.(?:sh|ya?ml|toml)|^\.ci\/run)$/

/** Comment lines and Markdown lines over the width. Code, tables, fenced blocks and addresses may be wider. */
export function checkWidths(files: Iterable<TextFile>): string[] {
  return [...files].flatMap((file) =>
    proseLinesOf(file)
      .filter(({ line }) => isTooWide(line))
      .map(
        ({ line, number }) => `${file.path}:${number} has ${[...line].length} columns, the most is ${WIDTH}`,
      ),
  )
}

interface Line {
  /** From 1. */
  readonly number: number
  readonly line: string
}

function proseLinesOf({ path, text }: TextFile): Line[] {
  const lines = text.split('\n').map((line, index) => ({ number: index + 1, line }))
  if (path.endsWith('.md')) return markdownProse(lines)
  if (SCRIPT.test(path)) {
    const commented = commentLines(path, text)
    return lines.filter(({ number }) => commented.has(number))
  }
  return HASH_COMMENTS.test(path) ? lines.filter(({ line }) => /^\s*#/.test(line)) : []
}

/** The lines that a comment stands on. A comment behind code counts: it fits better above. */
function commentLines(path: string, text: string): Set<number> {
  const numbers = new Set<number>()
  for (const { start, end } of parseSync(path, text).comments) {
    const first = text.slice(0, start).split('\n').length
    const last = text.slice(0, end).split('\n').length
    for (let number = first; number <= last; number++) numbers.add(number)
  }
  return numbers
}

function markdownProse(lines: readonly Line[]): Line[] {
  let fence: string | undefined
  return lines.filter(({ line }) => {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1]
    if (fence) {
      if (mark?.startsWith(fence)) fence = undefined
      return false
    }
    fence = mark
    return !mark && !/^\s*\|/.test(line)
  })
}

function isTooWide(line: string): boolean {
  return [...line.replace(/\]\([^)\s]*\)|https?:\/\/\S+/g, '')].length > WIDTH
}

/** Relative links of Markdown pages that lead to no file of the repository. */
export function checkLinks(files: Iterable<TextFile>, exists: (path: string) => boolean): string[] {
  return [...files]
    .filter(({ path }) => path.endsWith('.md'))
    .flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) =>
        [...line.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)/g)]
          .map(([, target = '']) => posix.join(posix.dirname(path), target))
          .filter((target) => !exists(target))
          .map((target) => `${path}:${index + 1} links to ${target}, which is not there`),
      ),
    )
}

/** Links that call a decision by another number than its file has. A link may begin on the line before. */
export function checkDecisionNumbers(files: Iterable<TextFile>): string[] {
  return [...files]
    .filter(({ path }) => path.endsWith('.md'))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\[decision\s+(\d+)\]\([^)\s]*\/(\d{4})-/gi)]
        .filter(([, number, file]) => Number(number) !== Number(file))
        .map(([, number, file]) => `${path} calls decision ${Number(file)} number ${number}`),
    )
}

interface RetiredWord {
  /** Matches the word, in whole words; `_` counts as a border. */
  readonly pattern: RegExp
  /** What to write in its place. */
  readonly instead: string
}

const word = (forms: string, instead: string): RetiredWord => ({
  pattern: new RegExp(`(?<![A-Za-z])(?:${forms})(?![A-Za-z])`, 'gi'),
  instead,
})
const name = (forms: string, instead: string): RetiredWord => ({
  pattern: new RegExp(`(?<![A-Za-z0-9$.-])(?:${forms})(?![A-Za-z0-9$-])`, 'g'),
  instead,
})

/** Words that are retired in every text, with the word of the field. */
const RETIRED: readonly RetiredWord[] = [
  word('doors?', 'entry point'),
  word('floors?(?!\\()', 'layer'),
  word('rooms?', 'module'),
  word('houses?', 'architecture'),
  word('drawers?', 'catch-all'),
  word('admissions?', 'authenticator'),
  word('gates?|gated', 'authenticator'),
  word('liveness', 'revocation check'),
  word('issuance', 'issuing tokens'),
  word('ears?|hears?|heard|hearing', 'listener, receive'),
  word('pulses?|naps?|beats?', 'suspend detector, heartbeat'),
  word('ledgers?', 'revocation list'),
  word('jars?', 'cookie options'),
  word('recalls?|recalled', 'look up'),
  word('weather', 'network conditions'),
  word('scenes?', 'fixtures'),
  word('doings', 'actions'),
  word('rob|robs|robbed|robbery|robber', 'steal'),
  word('shelf|shelves', 'state'),
  word('evicts?|evicted|evicting|evictable|eviction', 'close, discard'),
  word('judges?|judged|judging|judgements?', 'check, decide'),
  word('meets?|meeting', 'authorize, satisfy'),
  word('settles?', 'end, resolve'),
  word('news', 'message'),
  word('nobody|somebody|everybody|anybody', 'no one, a user, a caller'),
  word('for ever', 'forever, without limit'),
  word('is none', 'say what it is'),
  word('carry|carries|carried|carrying', 'send, hold, copy, inherit'),
  word('presents|presented|presenting', 'send'),
  word('drafts?', 'claims'),
  word('answers?|answered|answering', 'response, respond, return'),
  word('standing', 'state'),
]

/** Retired names: these words as names in code, where the plain word has its usual meaning elsewhere. */
const RETIRED_NAMES: readonly RetiredWord[] = [
  name('Admission|Gate|Attached|Outcome|Standing|Liveness|Ledger|Ear|Jar', 'see docs/decisions'),
  name('Need|toNeed|NeedDefaults', 'PreparedRequirement'),
  name('Draft|DraftPair|SessionDraft', 'TokenClaims'),
  name('Found|locate|Locate|prepareLocate', 'extractToken, ExtractedToken'),
  name('Steps|settle', 'authenticate, then next'),
  name('Visit|Parts|[A-Z][A-Za-z]+Parts|Deps', 'RequestContext, Dependencies'),
  name('Keep|News|Letter|Prover|Wire', 'TokenPersistence, TabMessage, StepUpCoordinator, Transport'),
  name('toFace|toNothing', 'createSessionApi, noop'),
]

/** Where a retired word has its usual meaning. */
const USUAL: readonly RegExp[] = [
  /carr(?:y|ies|ied|ying) (?:\w+ )?out\b/gi,
  /carry-over/gi,
  /Internet-Drafts?|\bdraft-[a-z]+-[\w-]+/gi,
  /long-standing|notwithstanding/gi,
  // A public name: what `findToken` returns. The status 404 is called so.
  /\bFoundToken\b|\bNot Found\b|\b(?:(?:to|set)N|n)otFound(?:Handler)?\b|\b(?:Subject)?NotFoundError\b/g,
  // Python's, and the cookie option of that name.
  /\bis None\b/g,
  /\bcarry(?=\??:)|(?:\bcookies|_DEFAULTS)\.carry\b|\bTOKENWRIGHT_COOKIES_CARRY\b/g,
  // Sentences that case files say, also those of others: the attack runner finds its checks by them.
  /answer < 50 ms, no PBKDF2|the other guards answer 503|DELETE answered 404|429 carries Retry-After/g,
  // Redis calls it so.
  /\bno-?eviction\b|\beviction polic(?:y|ies)\b/gi,
]

/** The page that lists the old names. */
const OLD_NAMES = 'docs/decisions/0018-public-names.md'

/** Lines that say a retired word, each with the word of the field. */
export function checkRetiredWords(files: Iterable<TextFile>): string[] {
  const others = [...files].filter(({ path }) => path !== OLD_NAMES)
  return others.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const words = SCRIPT.test(path) ? [...RETIRED, ...RETIRED_NAMES] : RETIRED
      return retiredIn(line, words).map(
        ({ found, instead }) => `${path}:${index + 1} says "${found}": write ${instead}`,
      )
    }),
  )
}

function retiredIn(line: string, words: readonly RetiredWord[]): { found: string; instead: string }[] {
  const plain = USUAL.reduce((text, usual) => text.replace(usual, ''), line)
  // Names of several words are read as words too: `toDoorUrl` says "door".
  const text = `${plain} ${plain.replace(/([a-z0-9])(?=[A-Z])/g, '$1 ')}`
  const hits = words.flatMap(({ pattern, instead }) =>
    [...text.matchAll(pattern)].map(([found]) => ({ found, instead })),
  )
  return [...new Map(hits.map((hit) => [hit.found, hit])).values()]
}

/** Titles of suites and tests, a line each, at their own line numbers: what a test run prints. */
export function titlesOf({ path, text }: TextFile): TextFile {
  let isOpen = false
  const titles = text.split('\n').map((line) => {
    const isCall = /^\s*(?:describe|it|test)\b/.test(line)
    const found = isCall || isOpen ? [...line.matchAll(/'(?:[^'\\]|\\.)*'|`[^`]*`|"[^"]*"/g)] : []
    isOpen = isCall && line.endsWith('(')
    return found.map(([title]) => title).join(' ')
  })
  return { path: path.replace(/\.ts$/, '.titles'), text: titles.join('\n') }
}
