/**
 * `llms.txt` and `llms-full.txt`: the pages of `docs/` for language models, as a list with a
 * summary of each, and as one text. The form is that of llmstxt.org.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { read, summaryOf } from './repository.mjs'
import { STAGED } from './stage.mjs'

const ABOUT = `# Tokenwright

> Token authentication for TypeScript servers: access, refresh and fresh tokens, step-up, sessions,
> revocation, cookies with CSRF protection. npm package \`tokenwright\`, no dependencies.
`

/**
 * @param kinds the navigation
 * @param base the path under which the site is served
 */
export function stageLlms(kinds, base) {
  const folder = join(STAGED, 'public')
  mkdirSync(folder, { recursive: true })
  const lists = kinds.map(({ kind, items }) => {
    const lines = items.map(({ path, text, link }) => {
      const summary = summaryOf(read(path))
      return `- [${text}](${base}${link.slice(1)})${summary && `: ${summary}`}`
    })
    return `## ${kind}\n\n${lines.join('\n')}\n`
  })
  writeFileSync(join(folder, 'llms.txt'), [ABOUT, ...lists].join('\n'))
  const texts = kinds.flatMap(({ items }) =>
    items.map(({ path, link }) => `<!-- ${base}${link.slice(1)} -->\n\n${read(path).trim()}\n`),
  )
  writeFileSync(join(folder, 'llms-full.txt'), [ABOUT, ...texts].join('\n'))
}
