import { readdirSync } from 'node:fs'
import { AXE, launch } from './check/browser.mjs'
import { brokenLinks, readBuilt } from './check/built-pages.mjs'
import { searchAll } from './check/search.mjs'
import { serveSite } from './check/server.mjs'
const DIST = new URL('dist', import.meta.url).pathname
const pages = readBuilt(DIST, '/')
console.log('links', brokenLinks(pages, new Set(['/', ...readdirSync(DIST, { recursive: true }).map((n) => `/${n}`)])))
const site = await serveSite(DIST, '/', AXE)
const browser = await launch()
console.log('search', await searchAll(browser, site.origin))
await browser.close(); site.close()
