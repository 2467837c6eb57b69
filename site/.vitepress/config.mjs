/**
 * The site: pages from `.cache/pages/`, which `build.mjs` writes before. Nothing is loaded from
 * another host, and a dead link ends the build.
 */
import { join } from 'node:path'
import { defineConfig } from 'vitepress'
import { toSlug } from '../pages/links.mjs'
import { navigationOf, sidebarsOf } from '../pages/navigation.mjs'
import { entryPoints, referenceAddressOf } from '../pages/reference.mjs'
import { markdownPages, ROOT } from '../pages/repository.mjs'
import { chosenVersion, versionMenu } from '../pages/versions.mjs'
import { search } from './search.mjs'

const version = chosenVersion()
const { base } = version
const kinds = navigationOf(markdownPages())

/** The items of a kind's sidebar. No list names the entry points: the sources do. */
function itemsOf(kind, items) {
  if (kind !== 'Reference') return items
  const points = entryPoints().map(({ name }) => ({ text: name, link: referenceAddressOf(name) }))
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
  markdown: {
    config: noEmptyHeaders,
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    languageAlias: { caddyfile: 'nginx' },
    anchor: { slugify: toSlug },
    headers: { slugify: toSlug },
    toc: { slugify: toSlug },
  },
  // The story runs the client of the sources.
  vite: { resolve: { alias: { 'tokenwright/client': join(ROOT, 'src/client.ts') } } },
  themeConfig: {
    logo: '/mark.svg',
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
