/**
 * The site: pages from `.cache/pages/`, which `build.mjs` writes before. Nothing is loaded from
 * another host, and a dead link ends the build.
 */
import { defineConfig } from 'vitepress'
import { toSlug } from '../pages/links.mjs'
import { navigationOf } from '../pages/navigation.mjs'
import { markdownPages } from '../pages/repository.mjs'

const kinds = navigationOf(markdownPages())
const toLink = ({ text, link }) => ({ text, link })

export default defineConfig({
  title: 'Tokenwright',
  description: 'Token authentication for TypeScript servers',
  lang: 'en-US',
  srcDir: './.cache/pages',
  outDir: './dist',
  cacheDir: './.cache/vitepress',
  base: process.env['SITE_BASE'] ?? '/',
  cleanUrls: true,
  markdown: {
    languageAlias: { caddyfile: 'nginx' },
    anchor: { slugify: toSlug },
    headers: { slugify: toSlug },
    toc: { slugify: toSlug },
  },
  themeConfig: {
    nav: kinds.map(({ kind, items }) => ({ text: kind, link: items[0].link })),
    sidebar: kinds.map(({ kind, items }) => ({
      text: kind,
      collapsed: !['Start', 'Guides'].includes(kind),
      items: items.map(toLink),
    })),
    outline: [2, 3],
    search: {
      provider: 'local',
      options: {
        _render: (source, env, md) => (env.frontmatter?.search === false ? '' : md.render(source, env)),
      },
    },
  },
})
