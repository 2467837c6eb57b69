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

const withoutBase = (href, base) => (href.startsWith(base) ? `/${href.slice(base.length)}` : href)

const decode = (text) => text.replace(/&(amp|lt|gt|quot|#39|#x27);/g, (_, name) => ENTITIES[name] ?? '')

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'" }
