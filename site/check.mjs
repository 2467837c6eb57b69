/**
 * `npm run check:site` of the repository: builds the site and checks it. A line for each check, at
 * the end "N passed, N failed, N skipped".
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { brokenLinks, foreignLoads, readBuilt } from './check/built-pages.mjs'
import { missingExports } from './check/exports.mjs'
import { check, conclude } from './check/report.mjs'
import { navigationOf } from './pages/navigation.mjs'
import { entryPoints, referenceAddressOf } from './pages/reference.mjs'
import { addressOf, markdownPages } from './pages/repository.mjs'

const HERE = new URL('.', import.meta.url).pathname
const DIST = `${HERE}dist`

await check('the site is built, without a dead link', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['build.mjs'], {
    cwd: HERE,
    encoding: 'utf8',
  })
  return status === 0 ? [] : [`status ${status}`, ...`${stdout}${stderr}`.split('\n').slice(-30)]
})
if (existsSync(DIST)) {
  const pages = readBuilt(DIST, '/')
  const files = new Set(readdirSync(DIST, { recursive: true }).map((name) => `/${name}`))
  const addresses = pages.map(({ address }) => address)
  const markdown = markdownPages()

  await check('every Markdown page of the repository is there', () =>
    markdown.map(addressOf).filter((address) => !addresses.includes(address)),
  )
  await check('every page of docs/ is in the navigation, once', () => {
    const paths = navigationOf(markdown).flatMap(({ items }) => items.map(({ path }) => path))
    return markdown.filter(
      (path) => path !== 'docs/README.md' && paths.filter((one) => one === path).length !== 1,
    )
  })
  await check('every export of every entry point is in the reference', () =>
    missingExports(entryPoints(), (name) =>
      pages.find(({ address }) => address === referenceAddressOf(name)),
    ),
  )
  await check('every link leads to a page, every anchor to a heading', () => brokenLinks(pages, files))
  await check('no page loads anything from another host', () => pages.flatMap(foreignLoads))
}
conclude()
