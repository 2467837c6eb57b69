/** Builds the site into `dist/`: `npm run build --prefix site`. */
import { rmSync } from 'node:fs'
import { build } from 'vitepress'
import { frontPage } from './pages/front-page.mjs'
import { stageReference } from './pages/reference.mjs'
import { stagePages, writePage } from './pages/stage.mjs'

rmSync(new URL('dist', import.meta.url), { recursive: true, force: true })
stagePages()
await stageReference()
writePage('/', frontPage)
await build(new URL('.', import.meta.url).pathname)
