/**
 * Builds one version of the site into `dist/`: `npm run build --prefix site`. `SITE_VERSION` says
 * which, and `SITE_ROOT` the path of the whole site on its host.
 */
import { rmSync } from 'node:fs'
import { build } from 'vitepress'
import { frontPage } from './pages/front-page.mjs'
import { stageLlms } from './pages/llms.mjs'
import { navigationOf } from './pages/navigation.mjs'
import { stageReference } from './pages/reference.mjs'
import { stagePages, writePage } from './pages/stage.mjs'
import { chosenVersion } from './pages/versions.mjs'

rmSync(new URL('dist', import.meta.url), { recursive: true, force: true })
const pages = stagePages()
await stageReference()
writePage('/', frontPage)
stageLlms(navigationOf(pages), chosenVersion().base)
await build(new URL('.', import.meta.url).pathname)
