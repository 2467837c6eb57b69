/**
 * `npm run lighthouse --prefix site -- [ADDRESS ...]`: all four scores of the built site, of every
 * page or of the given ones. Performance depends on the machine: run it on one that is idle.
 */
import { readBuilt } from './check/built-pages.mjs'
import { measure, STEADY } from './check/lighthouse.mjs'
import { check, conclude } from './check/report.mjs'
import { serveSite } from './check/server.mjs'

const DIST = new URL('dist', import.meta.url).pathname
const all = () =>
  readBuilt(DIST, '/')
    .map(({ address }) => address)
    .filter((address) => address !== '/404')
const given = process.argv.slice(2)
const site = await serveSite(DIST)
for (const address of given.length > 0 ? given : all())
  await check(address, () => measure(site.origin, [address], ['performance', ...STEADY]))
site.close()
conclude()
