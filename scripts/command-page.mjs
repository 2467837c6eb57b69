// Writes docs/reference/command.md: what `tokenwright <command> --help` prints of each command.
// `npm run docs:command` runs it after a build. A test compares the page with what it writes.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const OPENING = `# The command

<!-- Written by scripts/command-page.mjs from src/cli/. Do not edit: change the tables there and run
\`npm run docs:command\`. -->

\`npx tokenwright\` comes with the package. The databases' drivers are those of the project that it is
called in: Kysely with \`pg\`, \`mysql2\` or SQLite, and \`ioredis\` or \`redis\`.

- The standard output has the result and nothing else. Progress, warnings and errors are on the
  standard error output; an error is one line. \`--json\` prints JSON, where a command has it.
- Colors and progress are for terminals only. \`NO_COLOR\` switches colors off.
- A URL on the command line is seen by other users of the machine. \`env:NAME\` takes it from a
  variable. Passwords are never printed.
- A store that is being moved is two stores: call \`sessions end\` and \`end-all\` for each of them.
`

const FINDINGS = `## What doctor finds

A problem is wrong in any deployment, and makes the exit status 3. A warning may be meant. It cannot
see what only the application has, such as the timeouts of its own clients.

| name | result | what to do |
| --- | --- | --- |
`

/**
 * Returns the text of the page.
 *
 * @param {readonly string[]} names the commands
 * @param {{ formatOverview(group: string): string, formatCommand(name: string): string }} help
 * @param {Readonly<Record<string, readonly [string, string]>>} checks what `doctor` finds
 */
export function toCommandPage(names, { formatOverview, formatCommand }, checks) {
  const sections = names.map((name) => `## ${name}\n\n${toBlock(formatCommand(name))}`)
  const rows = Object.entries(checks).map(
    ([id, [result, advice]]) => `| \`${id}\` | ${result} | ${advice} |\n`,
  )
  return `${[OPENING, toBlock(formatOverview('')), ...sections, FINDINGS].join('\n')}${rows.join('')}`
}

function toBlock(text) {
  return `\`\`\`\n${text}\n\`\`\`\n`
}

/** Reads the tables of the build, and writes the page. */
async function main() {
  const { COMMANDS } = await import('../dist/src/cli/command-list.js')
  const { CHECKS } = await import('../dist/src/cli/doctor/checks.js')
  const help = await import('../dist/src/cli/help.js')
  const page = fileURLToPath(new URL('../docs/reference/command.md', import.meta.url))
  writeFileSync(page, toCommandPage(Object.keys(COMMANDS), help, CHECKS))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
