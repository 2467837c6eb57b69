/**
 * An entry point with many exports has a page for each topic, and its own page lists them all: one
 * page of everything would be slow to open and hard to read. A topic is named after the source
 * files of its exports, so that a new export has its place by itself.
 */

/**
 * The address below that of the entry point, the title, and the files below `src/`. The first whose
 * files match counts.
 */
const TOPICS = [
  ['application', 'The application', /^auth\/(auth|create-auth|events|health|watch)\./],
  [
    'options',
    'Options',
    /^(auth\/(options|environment)|http\/(csrf|cookie-options|token-s|resolve|problem))/,
  ],
  [
    'requests',
    'Requests',
    /^(http\/|auth\/(authenticate|authenticator|requirement|request)|token\/token-requirement)/,
  ],
  [
    'keys',
    'Keys',
    /^token\/(jwk|ring|import-keys|changing-ring|rotate-keys|key-ring|remote-sign|algorithms)/,
  ],
  ['tokens', 'Tokens', /^(token|auth\/(issue|token))/],
  ['rotation', 'Rotation', /^session\/rotation/],
  ['transfer', 'Moving sessions', /^session\/(transfer|log-entry)/],
  ['sessions', 'Sessions', /^(session|auth\/session)/],
  ['realms', 'Realms and tenants', /^auth\/create-(realms|tenants)/],
  ['services', 'Other issuers and services', /^(issuers|remote)\//],
  ['openapi', 'OpenAPI', /^auth\/openapi/],
  ['errors', 'Errors', /^(errors|internal\/(configuration-error|failure))\./],
  ['others', 'Other exports', /^/],
]

/** From how many characters on an entry point is divided. */
const LARGE = 40_000

/** A kind, or an export: its anchor, its heading, and all to the next of either. */
const SECTION =
  /^## (?<kind>[^\n]+)|<a id="[^"]+"><\/a>\n+### (?<heading>\S+)[^\n]*\n[\s\S]*?(?=\n+(?:\*\*\*\n+<a id="[^"]+"><\/a>\n+### |## )|$(?![\s\S]))/gm

/**
 * Divides the text of an entry point into `{ pages, topicOfAnchor }`; undefined for a short one.
 *
 * @param text its Markdown, as TypeDoc writes it
 * @param files the source file of each export, below `src/`
 */
export function divide(text, files) {
  if (text.length < LARGE) return undefined
  const sections = sectionsOf(text, files)
  const pages = TOPICS.flatMap(([topic, title]) => {
    const own = sections.filter((one) => one.topic === topic)
    return own.length > 0 ? [{ topic, title, exports: own, text: toText(own) }] : []
  })
  return { pages, topicOfAnchor: anchorsOf(pages) }
}

function sectionsOf(text, files) {
  let kind = ''
  return [...text.matchAll(SECTION)].flatMap(({ 0: section, groups }) => {
    if (groups.kind) {
      kind = groups.kind
      return []
    }
    const name = groups.heading.replace(/\(\)$/, '').replaceAll('\\', '')
    const file = files.get(name)
    if (file === undefined) throw new Error(`TypeDoc has a section "${name}", which is no export`)
    const [topic] = TOPICS.find(([, , names]) => names.test(file))
    return [{ name, kind, section, topic, summary: summaryOf(section) }]
  })
}

/** The exports of a topic by their kinds, as TypeDoc writes those of an entry point. */
function toText(sections) {
  const kinds = [...new Set(sections.map(({ kind }) => kind))]
  return kinds
    .map((kind) => {
      const own = sections.filter((one) => one.kind === kind).map(({ section }) => section.trimEnd())
      return `## ${kind}\n\n${own.join('\n\n***\n\n')}`
    })
    .join('\n\n')
}

/** The page of each anchor. */
function anchorsOf(pages) {
  const anchors = pages.flatMap(({ topic, text }) =>
    [...text.matchAll(/<a id="([^"]+)">/g)].map(([, anchor]) => [anchor, topic]),
  )
  return new Map(anchors)
}

/** The first sentence of an export's comment, on one line. */
function summaryOf(section) {
  const prose = section.replace(/```[\s\S]*?```/g, '').split(/\n{2,}/)
  const paragraph = prose.find((block) => /^[\p{L}`[*]/u.test(block) && !block.startsWith('***')) ?? ''
  const [sentence] = /^[\s\S]*?[.:](?=\s|$)/.exec(paragraph) ?? [paragraph]
  return sentence.replace(/\s+/g, ' ').replace(/:$/, '.').replace(/\|/g, '\\|')
}
