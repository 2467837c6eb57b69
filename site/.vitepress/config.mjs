/**
 * The site: pages from `.cache/pages/`, which `build.mjs` writes before. Nothing is loaded from
 * another host, and a dead link ends the build.
 */
import { join } from 'node:path'
import { defineConfig } from 'vitepress'
import { toSlug } from '../pages/links.mjs'
import { navigationOf } from '../pages/navigation.mjs'
import { entryPoints, referenceAddressOf } from '../pages/reference.mjs'
import { markdownPages, ROOT } from '../pages/repository.mjs'
import { search } from './search.mjs'

const base = process.env['SITE_BASE'] ?? '/'
const kinds = navigationOf(markdownPages())
const toLink = ({ text, link }) => ({ text, link })

/** Made from the sources, so no list names it. */
const entryPointGroup = {
  text: 'Entry points',
  link: '/reference/api/',
  collapsed: true,
  items: entryPoints().map(({ name }) => ({ text: name, link: referenceAddressOf(name) })),
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
  markdown: {
    languageAlias: { caddyfile: 'nginx' },
    anchor: { slugify: toSlug },
    headers: { slugify: toSlug },
    toc: { slugify: toSlug },
  },
  // The story runs the client of the sources.
  vite: { resolve: { alias: { 'tokenwright/client': join(ROOT, 'src/client.ts') } } },
  themeConfig: {
    logo: '/mark.svg',
    nav: kinds.map(({ kind, items }) => ({ text: kind, link: items[0].link })),
    sidebar: kinds.map(({ kind, items }) => ({
      text: kind,
      collapsed: !['Start', 'Guides'].includes(kind),
      items: kind === 'Reference' ? [...items.map(toLink), entryPointGroup] : items.map(toLink),
    })),
    outline: [2, 3],
    search,
  },
})
