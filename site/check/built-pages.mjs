/** The pages of the built site as files: their addresses, links and anchors. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Every page, as `{ address, html, ids, links }`; addresses have no base and no `.html`. */
export function readBuilt(folder, base) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.html'))
    .map((name) => {
      const html = readFileSync(join(folder, name), 'utf8')
      const address = `/${name.replaceAll('\\', '/').replace(/\.html$/, '')}`.replace(/\/index$/, '/')
      const ids = new Set([...html.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => decode(id)))
      const links = [...html.matchAll(/<a\s[^>]*?href="([^"]*)"/g)].map(([, href]) => decode(href))
      return { address, html, ids, links: links.map((href) => withoutBase(href, base)) }
    })
}

/** The links that lead to no page, to no anchor of a page, or by HTTP without TLS. */
export function brokenLinks(pages, files) {
  const byAddress = new Map(pages.map((page) => [page.address, page]))
  return pages.flatMap((page) =>
    [...new Set(page.links)].flatMap((href) => {
      if (/^(https:|mailto:)/.test(href)) return []
      if (/^[a-z]+:/.test(href)) return [`${page.address} links to ${href}: expected https or mailto`]
      const { pathname, hash } = new URL(href, `https://site.example${page.address}`)
      const target = byAddress.get(decodeURI(pathname))
      const anchor = decodeURIComponent(hash.slice(1))
      if (!target) return files.has(pathname) ? [] : [`${page.address} links to ${href}: no such page`]
      return anchor === '' || target.ids.has(anchor)
        ? []
        : [`${page.address} links to ${href}: no such anchor`]
    }),
  )
}

/** Addresses that the browser would load from elsewhere when it opens the page. */
export function foreignLoads({ address, html }) {
  const loads = html.matchAll(
    /<(?:script|img|iframe|source)\s[^>]*?src="(https?:[^"]*)"|<link\s[^>]*?href="(https?:[^"]*)"/g,
  )
  return [...loads].map(([, src, href]) => `${address} loads ${src ?? href}`)
}

/** The grounds of code in the two themes, as the style sheets of the theme say. */
const GROUNDS = { light: '#f6f6f7', dark: '#161618' }

/** The colors of code that are too weak on their ground (WCAG 2.2, 1.4.3). */
export function codeContrast(pages) {
  const used = pages.flatMap(({ html }) => [...html.matchAll(/--shiki-(light|dark):(#[0-9A-Fa-f]{6})/g)])
  const colors = new Map(used.map(([text, theme, color]) => [text, [theme, color]]))
  if (colors.size === 0) return ['expected colors of code, found none']
  return [...colors.values()]
    .filter(([theme, color]) => contrast(color, GROUNDS[theme]) < 4.5)
    .map(([theme, color]) => `${color} is too weak in ${theme}`)
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (high + 0.05) / (low + 0.05)
}

function luminance(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

const withoutBase = (href, base) => (href.startsWith(base) ? `/${href.slice(base.length)}` : href)

const decode = (text) => text.replace(/&(amp|lt|gt|quot|#39|#x27);/g, (_, name) => ENTITIES[name] ?? '')

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'" }
