/**
 * `npm run check:site` of the repository: builds the site and checks it. A line for each check, at
 * the end "N passed, N failed, N skipped".
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { AXE, launch, visitAll } from './check/browser.mjs'
import { brokenLinks, codeContrast, foreignLoads, readBuilt } from './check/built-pages.mjs'
import { missingExports } from './check/exports.mjs'
import { measure, STEADY } from './check/lighthouse.mjs'
import { check, conclude } from './check/report.mjs'
import { searchAll } from './check/search.mjs'
import { serveSite } from './check/server.mjs'
import { playStory } from './check/story.mjs'
import { navigationOf } from './pages/navigation.mjs'
import { entryPoints, referenceAddressOf } from './pages/reference.mjs'
import { addressOf, markdownPages, read } from './pages/repository.mjs'
import { chosenVersion, versionMenu } from './pages/versions.mjs'

const HERE = new URL('.', import.meta.url).pathname
const DIST = `${HERE}dist`

/** A page of each kind; `npm run lighthouse` takes them all, with their performance. */
const SAMPLE = ['/', '/guide/roles', '/reference/api/tokenwright/keys']

if (!process.argv.includes('--built'))
  await check('the site is built, without a dead link', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['build.mjs'], {
      cwd: HERE,
      encoding: 'utf8',
    })
    return status === 0 ? [] : [`status ${status}`, ...`${stdout}${stderr}`.split('\n').slice(-30)]
  })
if (existsSync(DIST)) {
  const pages = readBuilt(DIST, '/')
  // The other versions are other builds.
  const versions = versionMenu(chosenVersion()).props.versions.map(({ link }) => link)
  const files = new Set([...versions, ...readdirSync(DIST, { recursive: true }).map((name) => `/${name}`)])
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
      pages.filter(({ address }) => `${address}/`.startsWith(`${referenceAddressOf(name)}/`)),
    ),
  )
  await check('every link leads to a page, every anchor to a heading', () => brokenLinks(pages, files))
  await check('no page loads anything from another host', () => pages.flatMap(foreignLoads))

  await check('code is readable in light and in dark', () => codeContrast(pages))

  await check('the current version is that of the package', () => {
    const { version } = JSON.parse(read('package.json'))
    const { name } = chosenVersion()
    return version.startsWith(`${name}.`) ? [] : [`versions.json says ${name}, package.json ${version}`]
  })
  await check('llms.txt lists every page of docs/, llms-full.txt has their text', () => {
    const [list, full] = ['llms.txt', 'llms-full.txt'].map((name) => readFileSync(`${DIST}/${name}`, 'utf8'))
    return markdown
      .filter((path) => path.startsWith('docs/') && path !== 'docs/README.md')
      .filter((path) => !list.includes(`](${addressOf(path)})`) || !full.includes(read(path).trim()))
  })

  const site = await serveSite(DIST, '/', AXE)
  const browser = await launch()
  // Each waits for Chromium more than it works.
  await Promise.all([
    check('every page opens without an error, weighs little, and axe objects to nothing', () =>
      visitAll(
        browser,
        site.origin,
        addresses.filter((address) => address !== '/404'),
      ),
    ),
    check('the search finds the words of newcomers', () => searchAll(browser, site.origin)),
    check('Lighthouse gives full marks for accessibility, practices and SEO', () =>
      measure(site.origin, SAMPLE, STEADY),
    ),
    check('the story of the front page can be played', () => playStory(browser, site.origin)),
  ])
  await browser.close()
  site.close()
}
conclude()
