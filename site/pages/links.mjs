/**
 * The links of a page, written for the site: to other pages by their address, to files of the
 * repository by the page that shows them, to images by their copy. A link to what is not there
 * ends the build.
 */
import { posix } from 'node:path'
import { addressOf, exists, isFolder, isImage, sourceAddressOf } from './repository.mjs'

const LINK = /(!?\[(?:[^[\]]|\[[^\]]*\])*\])\((?!https?:|mailto:|#|\/)([^)#\s]+)(#[^)\s]*)?\)/g

/**
 * Rewrites the links of one page.
 *
 * @param path the page's file, from which its links start
 * @param pages the files that are pages
 * @param wanted collects the other files that are linked to
 */
export function rewriteLinks(path, text, pages, wanted) {
  return outsideCode(text, (prose) =>
    prose.replace(LINK, (_, label, target, anchor = '') => {
      const file = posix.join(posix.dirname(path), target).replace(/\/$/, '')
      return `${label}(${addressFor(file, path, pages, wanted)}${anchor})`
    }),
  )
}

/** Blocks of code and links, which stay as they are, and the code in a line that names a file. */
const BLOCK_OR_NAME =
  /^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?^ {0,3}\1[^\n]*$|\[(?:[^[\]]|\[[^\]]*\])*\]\([^)]*\)|`((?:attack|bench|packages|src|test)\/[\w./-]+\.\w+)`/gm

/**
 * Makes links of the files that a page names in code, such as a test that shows what it says. In
 * the packed Markdown they are no links, as most are not packed.
 *
 * @param addressOfFile where a file can be read
 */
export function linkNamedFiles(text, addressOfFile) {
  return text.replace(BLOCK_OR_NAME, (whole, _, file) => {
    return file && exists(file) ? `[${whole}](${addressOfFile(file)})` : whole
  })
}

function addressFor(file, from, pages, wanted) {
  if (!exists(file)) throw new Error(`${from} links to ${file}, which is not there`)
  if (pages.includes(file)) return addressOf(file)
  if (isFolder(file) && pages.includes(`${file}/README.md`)) return addressOf(`${file}/README.md`)
  wanted.add(file)
  return isImage(file) ? `/files/${file}` : sourceAddressOf(file)
}

/** Applies an edit to all but fenced blocks and code in a line. */
export function outsideCode(text, edit) {
  const CODE =
    /(^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?^ {0,3}\2[^\n]*$|`{2}[^\n]*?`{2}|`(?:[^`\n]|\n(?!\s*\n))*`)/gm
  let prose = ''
  let end = 0
  // A link's label may hold code, so code is replaced by marks while the prose is edited.
  const codes = []
  for (const match of text.matchAll(CODE)) {
    prose += `${text.slice(end, match.index)}\u0001${codes.length}\u0002`
    codes.push(match[0])
    end = match.index + match[0].length
  }
  prose += text.slice(end)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no text of a page has these marks
  return edit(prose).replace(/\u0001(\d+)\u0002/g, (_, index) => codes[Number(index)])
}

/** The anchor of a heading, as forges make it: links must work there and here. */
export function toSlug(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, '')
    .replace(/\s/g, '-')
}
