/**
 * The site: pages from `.cache/pages/`, which `build.mjs` writes before. Nothing is loaded from
 * another host, and a dead link ends the build.
 */
import { join } from 'node:path'
import { defineConfig } from 'vitepress'
import { toSlug } from '../pages/links.mjs'
import { navigationOf, sidebarsOf } from '../pages/navigation.mjs'
import { entryPoints, referenceAddressOf, topicsOf } from '../pages/reference.mjs'
import { markdownPages, ROOT, sizeOf } from '../pages/repository.mjs'
import { chosenVersion, versionMenu } from '../pages/versions.mjs'
import { search } from './search.mjs'

const version = chosenVersion()
const { base } = version
const kinds = navigationOf(markdownPages())

/** The items of a kind's sidebar. No list names the entry points: the sources do. */
function itemsOf(kind, items) {
  if (kind !== 'Reference') return items
  const topics = topicsOf()
  const points = entryPoints().map(({ name }) => ({
    text: name,
    link: referenceAddressOf(name),
    ...(topics[name] && { items: topics[name] }),
  }))
  return [...items, { text: 'Entry points', link: '/reference/api/', items: points }]
}

/** A header cell without a text is no header: the first column of some tables has none. */
function noEmptyHeaders(md) {
  md.core.ruler.push('no-empty-headers', ({ tokens }) => {
    for (const [index, { type, content }] of tokens.entries()) {
      if (type !== 'inline' || content !== '' || tokens[index - 1]?.type !== 'th_open') continue
      tokens[index - 1].tag = 'td'
      tokens[index + 1].tag = 'td'
    }
  })
}

/** An image has its size, so that nothing moves when it comes, and is loaded when it is near. */
function sizedImages(md) {
  const { image } = md.renderer.rules
  md.renderer.rules.image = (tokens, index, ...rest) => {
    const size = sizeOf(tokens[index].attrGet('src'))
    for (const [name, value] of Object.entries({ ...size, loading: 'lazy' }))
      tokens[index].attrSet(name, value)
    return image(tokens, index, ...rest)
  }
}

/**
 * The bar at the top, as it is once the page is alive: VitePress sets these classes in the browser
 * alone, and the bar would move then.
 */
function settledBar(html) {
  const states = [
    ['has-sidebar', /class="VPSidebar/.test(html)],
    ['home', /class="VPHome/.test(html)],
    ['top', true],
  ]
  const names = states.filter(([, holds]) => holds).map(([name]) => name)
  return html.replace(/class="VPNavBar(?=["\s])/, `class="VPNavBar ${names.join(' ')}`)
}

export default defineConfig({
  title: 'Tokenwright',
  description: 'Token authentication for TypeScript servers',
  lang: 'en-US',
  srcDir: './.cache/pages',
  outDir: './dist',
  cacheDir: './.cache/vitepress',
  base,
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}mark.svg` }]],
  cleanUrls: true,
  router: { prefetchLinks: false },
  transformHtml: settledBar,
  markdown: {
    config: (md) => {
      noEmptyHeaders(md)
      sizedImages(md)
    },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    languageAlias: { caddyfile: 'nginx' },
    anchor: { slugify: toSlug },
    headers: { slugify: toSlug },
    toc: { slugify: toSlug },
  },
  // The story runs the client of the sources.
  vite: { resolve: { alias: { 'tokenwright/client': join(ROOT, 'src/client.ts') } } },
  themeConfig: {
    logo: { src: '/mark.svg', width: 24, height: 24 },
    nav: [
      // "Start" alone says too little of where a link leads.
      ...kinds.map(({ kind, items }) => ({ text: kind.replace('Start', 'Start here'), link: items[0].link })),
      versionMenu(version),
    ],
    sidebar: sidebarsOf(kinds.map(({ kind, items }) => ({ kind, items: itemsOf(kind, items) }))),
    outline: [2, 3],
    search,
  },
})
