/**
 * Writes the pages that the site is built of to `.cache/pages/`: the Markdown of the repository
 * with its links rewritten, and the files that it links to, as text. There is one source; what is
 * here is made anew by each build.
 */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { forge } from './forge.mjs'
import { linkNamedFiles, rewriteLinks } from './links.mjs'
import {
  addressOf,
  filesIn,
  isFolder,
  isImage,
  markdownPages,
  ROOT,
  read,
  sourceAddressOf,
} from './repository.mjs'

export const STAGED = new URL('../.cache/pages/', import.meta.url).pathname

/** Longer than the fences that a file may have itself. */
const FENCE = '`'.repeat(6)

/** Colors of a longer file would be most of its page. */
const LARGE = 20_000

/** Writes a page at its address. */
export function writePage(address, text) {
  const file = join(STAGED, `${address.replace(/\/$/, '/index')}.md`)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** Makes the folder anew, and returns the files that are pages. */
export function stagePages() {
  rmSync(STAGED, { recursive: true, force: true })
  const pages = markdownPages()
  const wanted = new Set()
  for (const path of pages) {
    const text = rewriteLinks(path, read(path), pages, wanted)
    writePage(addressOf(path), forge ? linkNamedFiles(text, (file) => forge.files + file) : text)
  }
  for (const path of wanted) showFile(path, wanted)
  cpSync(join(ROOT, 'server/web/mark.svg'), join(STAGED, 'public/mark.svg'))
  return pages
}

/** Adding to a set while it is read is allowed: the files of a folder follow. */
function showFile(path, wanted) {
  if (isImage(path)) {
    cpSync(join(ROOT, path), join(STAGED, 'public/files', path), { recursive: true })
    return
  }
  if (!isFolder(path)) {
    const text = read(path).trimEnd()
    const language = text.length > LARGE ? 'text' : extname(path).slice(1).replace('conf', 'nginx')
    const body = [FENCE + language, text, FENCE].join('\n')
    writePage(sourceAddressOf(path), `${front(path)}\n# ${path}\n\nA file of the repository.\n\n${body}\n`)
    return
  }
  const files = filesIn(path).filter((file) => !/\.json$/.test(file))
  for (const file of files) wanted.add(file)
  const list = files.map((file) => `- [${file}](${sourceAddressOf(file)})`)
  writePage(
    sourceAddressOf(path),
    `${front(path)}\n# ${path}/\n\nFiles of the repository.\n\n${list.join('\n')}\n`,
  )
}

/** Text of files is not what a reader searches for. */
const front = (path) => `---\ntitle: ${path}\nsearch: false\n---\n`
