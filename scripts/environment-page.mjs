// Writes docs/reference/environment.md from the table of variables in src/auth/environment.ts.
// `npm run docs:options` runs it after a build. A test compares the page with what it writes.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PAGE = join(fileURLToPath(new URL('..', import.meta.url)), 'docs/reference/environment.md')

const OPENING = `# Environment

<!-- Written by scripts/environment-page.mjs from the table in src/auth/environment.ts. Do not edit:
change the table and run \`npm run docs:options\`. -->

\`optionsFromEnvironment()\` reads the options of \`createAuth\` that can be written as text. The store
and functions stay in the code:

\`\`\`ts
import { createAuth, optionsFromEnvironment } from 'tokenwright'
import { memoryStore } from 'tokenwright/stores/memory'

const { sessions, ...options } = optionsFromEnvironment()
const auth = createAuth({ ...options, sessions: { ...sessions, store: memoryStore() } })
\`\`\`

- A name is \`TOKENWRIGHT_\` and the path of the option in capitals. Another name that begins so is
  refused, with a suggestion. Names of your own go into the second argument:
  \`optionsFromEnvironment(process.env, ['TOKENWRIGHT_REGION'])\`.
- A secret and what is JSON may be in a file, as Docker and Kubernetes mount them:
  \`TOKENWRIGHT_SECRET_FILE=/run/secrets/auth\`. One line break at its end is no part of it. Both at
  once are refused.
- An empty value is refused: it must not switch a check off. Texts are read strictly: \`true\` and not
  \`1\`, \`15m\` and not \`900\`.
- An error names the variable, also one of \`createAuth\` about a value, and shows no secret.

[Options](options.md) says what each of them means, and its default.

| variable | option | value |
| --- | --- | --- |`

/** What a kind is, in words. */
const KINDS = {
  secret: 'a secret, or `..._FILE`',
  keyFile: 'the path of a [key file](../guide/keys.md), loaded again each minute',
  text: 'a text',
  anyText: 'a text, also an empty one',
  texts: 'texts with commas between',
  duration: 'a duration such as `15m`',
  number: 'a number',
  flag: '`true` or `false`',
  off: '`false`',
  textOrFalse: 'a text, or `false`',
  durationOrFalse: 'a duration, or `false`',
  json: 'JSON, or `..._FILE`',
}

/**
 * Returns the text of the page.
 *
 * @param {readonly { name: string, option: string, kind: string }[]} variables
 */
export function toEnvironmentPage(variables) {
  const rows = variables.map(({ name, option, kind }) => `| \`${name}\` | \`${option}\` | ${KINDS[kind]} |`)
  return `${OPENING}\n${rows.join('\n')}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { ENVIRONMENT_VARIABLES } = await import('../dist/src/index.js')
  writeFileSync(PAGE, toEnvironmentPage(ENVIRONMENT_VARIABLES))
}
