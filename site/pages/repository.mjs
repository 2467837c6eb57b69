/**
 * What of the repository is on the site, and where. A page of `docs/` keeps its path; the papers of
 * the root, of `bench/` and of `packages/` are under `/project/`; any other file that a page links
 * to is shown as text under `/source/`.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, posix } from 'node:path'

export const ROOT = new URL('../..', import.meta.url).pathname

/** Papers outside `docs/` that are pages. */
const PAPERS = ['CHANGELOG.md', 'CONTRIBUTING.md', 'CODE_OF_CONDUCT.md', 'SECURITY.md', 'README.md']

const IMAGES = ['.png', '.svg', '.jpg', '.gif', '.webp']

/** Files that exist only after a build. */
const MADE = ['node_modules', 'dist', '.cache']

export const read = (path) => readFileSync(join(ROOT, path), 'utf8')
export const exists = (path) => existsSync(join(ROOT, path))
export const isFolder = (path) => exists(path) && statSync(join(ROOT, path)).isDirectory()
export const isImage = (path) => IMAGES.includes(extname(path))

/** The width and height of a GIF or PNG below `/files/`; of another image, none. */
export function sizeOf(address) {
  const [, path] = /^\/files\/(.+\.(?:gif|png))$/.exec(address) ?? []
  if (!path) return {}
  const bytes = readFileSync(join(ROOT, path))
  const [width, height] = path.endsWith('.gif')
    ? [bytes.readUInt16LE(6), bytes.readUInt16LE(8)]
    : [bytes.readUInt32BE(16), bytes.readUInt32BE(20)]
  return { width: String(width), height: String(height) }
}

/** The files of a folder and of its folders, sorted. */
export function filesIn(folder) {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(({ name }) => !MADE.includes(name))
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name)
      return entry.isDirectory() ? filesIn(path) : [path]
    })
    .sort()
}

/** Every Markdown file that is a page, as its path in the repository. */
export function markdownPages() {
  const papers = ['bench', 'packages', 'attack/cases'].flatMap((folder) =>
    filesIn(folder).filter((path) => path.endsWith('.md') && !path.includes('/template')),
  )
  return [...filesIn('docs').filter((path) => path.endsWith('.md')), ...PAPERS.filter(exists), ...papers]
}

/**
 * The address of a page: `docs/guide/keys.md` is `/guide/keys`, `docs/decisions/README.md` is
 * `/decisions/`.
 */
export function addressOf(path) {
  const page = path.startsWith('docs/') ? path.slice('docs/'.length) : `project/${path}`
  if (page === 'README.md') return '/overview'
  if (page === 'project/README.md') return '/project/readme'
  return `/${page.replace(/\.md$/, '')}`.replace(/\/README$/, '/').replace(/[A-Z_]+$/, toLowerCase)
}

const toLowerCase = (name) => name.toLowerCase().replaceAll('_', '-')

/** The address of a file that is shown as text. Dots would make it look like a file to download. */
export const sourceAddressOf = (path) => `/source/${path.replaceAll('.', '-')}`

/** The title of a page: its first heading, without marks. */
export function titleOf(text) {
  const [, title = ''] = /^# (.+)$/m.exec(text) ?? []
  return title.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '')
}

/** The summary of a decision, or else the first sentences of a page, as plain text for machines. */
export function summaryOf(text) {
  const [, summary] = /^\*\*Summary\.\*\* ([\s\S]*?)\n\n/m.exec(text) ?? []
  const paragraph = text
    .replace(/^---\n[\s\S]*?\n---\n/, '')
    .replace(/^```[\s\S]*?^```$/gm, '')
    .split(/\n{2,}/)
    .find((block) => /^[\p{L}`[_*]/u.test(block))
  return (summary ?? paragraph ?? '')
    .replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
    .replace(/`|\*\*|(?<!\w)_|_(?!\w)/g, '')
    .replace(/\s+/g, ' ')
    .trim()
}
