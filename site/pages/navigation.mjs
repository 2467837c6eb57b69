/**
 * The navigation, by kind of page. It is made of the lists of `docs/README.md`, so that a page that
 * is added there is in it; pages that only an index of their folder lists follow. The folder of a
 * page says its kind, or else the label of its list.
 */
import { posix } from 'node:path'
import { addressOf, read, titleOf } from './repository.mjs'

/** The kinds in their order, with the paths that belong to each wherever they are listed. */
const KINDS = [
  ['Start', /^docs\/(start\/|start\.md|getting-started\.md|from-)/],
  ['Guides', /^docs\/guide\//],
  ['Recipes', /^docs\/recipes\//],
  ['Reference', /^docs\/reference\//],
  ['Operations', /^docs\/(operations\/|sessions\/(engines|failover|move|upgrade)\.md)/],
  ['Security', /^docs\/(security\/|threat-model\.md|invariants\.md)/],
  ['Decisions', /^docs\/decisions\//],
  ['Project', /^(?!docs\/)/],
]

/** The index is the site's own front matter, not a page of a list. */
const INDEX = 'docs/README.md'

/**
 * The pages of each kind, as `{ kind, items: { path, text, link }[] }`.
 *
 * @param pages the files that are pages
 */
export function navigationOf(pages) {
  const listed = listedIn(INDEX)
  const others = pages.filter((path) => path !== INDEX && !listed.some((item) => item.path === path))
  const all = [...listed, ...others.map((path) => ({ path, text: titleOf(read(path)) || path }))]
  return KINDS.map(([kind]) => ({
    kind,
    items: all
      .filter((item) => pages.includes(item.path) && kindOf(item) === kind)
      .map(({ path, text }) => ({ path, text, link: addressOf(path) })),
  })).filter(({ items }) => items.length > 0)
}

/**
 * A sidebar for each kind, by the folder of its pages; a page whose folder holds several kinds has
 * an entry of its own.
 */
export function sidebarsOf(kinds) {
  const folderOf = ({ link }) => link.slice(0, link.lastIndexOf('/') + 1)
  const kindsIn = (folder) => kinds.filter(({ items }) => items.some((item) => folderOf(item) === folder))
  return Object.fromEntries(
    kinds.flatMap(({ kind, items }) => {
      const sidebar = [
        { text: kind, items: items.map(({ text, link, items: below }) => ({ text, link, items: below })) },
      ]
      const keys = items.map((item) => {
        const folder = folderOf(item)
        return folder !== '/' && kindsIn(folder).length === 1 ? folder : item.link
      })
      return keys.map((key) => [key, sidebar])
    }),
  )
}

function kindOf({ path, label }) {
  const [kind] = KINDS.find(([, paths]) => paths.test(path)) ?? []
  const isKind = KINDS.some(([name]) => name === label)
  return kind ?? (isKind ? label : 'Reference')
}

/** The links of a page's lists and tables, in order; a label such as `Guides:` names their kind. */
function listedIn(index) {
  let label = ''
  const items = []
  for (const line of read(index).split('\n')) {
    const [, name] = /^(?:#+ )?([A-Z][a-z]+)(?: here)?:?$/.exec(line) ?? []
    if (name) label = name
    if (!/^(?:- |\| )/.test(line)) continue
    for (const [, text, target] of line.matchAll(/\[([^\]]+)\]\(([^)#\s]+\.md)\)/g)) {
      const path = posix.join(posix.dirname(index), target)
      if (!items.some((item) => item.path === path)) items.push({ path, label, text: upperFirst(text) })
    }
  }
  return items
}

const upperFirst = (text) => text.replace(/`/g, '').replace(/^[a-z](?![A-Z])/, (first) => first.toUpperCase())
