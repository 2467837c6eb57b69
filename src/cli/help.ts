/** What `--help` prints: of all commands, of a group of them, of one. */
import { COMMANDS, type CommandRow } from './command-list.ts'
import { OPTIONS } from './option-table.ts'

/** The exit statuses of every command. */
const STATUSES: Readonly<Record<string, string>> = {
  0: 'done',
  1: 'failed, with the reason in one line',
  '130 or 143': 'broken off by SIGINT or SIGTERM',
}

/** The width of the texts. */
const WIDTH = 100

/** The commands of a group, or all of them for the empty name. */
export function formatOverview(group: string): string {
  const rows = Object.entries(COMMANDS).filter(([name]) => group === '' || name.startsWith(`${group} `))
  return [
    `tokenwright ${group === '' ? '' : `${group} `}<command>`,
    '',
    ...formatRows(rows.map(([name, row]) => [toCall(name, row), row.summary])),
    '',
    'tokenwright <command> --help says more of one, --version which version this is.',
  ].join('\n')
}

/** One command: its options, examples and exit statuses. */
export function formatCommand(name: string): string {
  const row = COMMANDS[name] as CommandRow
  const options = row.options.map((option): [string, string] => [toOption(option), OPTIONS[option].text])
  return [
    `tokenwright ${toCall(name, row)}`,
    '',
    ...wrap([row.summary, ...row.details].map(toSentence).join(' '), WIDTH),
    ...(options.length === 0 ? [] : ['', ...formatRows(options)]),
    '',
    'Examples:',
    ...row.examples.map((example) => `  tokenwright ${example}`),
    '',
    'Exit status:',
    ...formatRows(Object.entries(toStatuses(row))),
  ].join('\n')
}

/** The exit statuses of a command. */
function toStatuses({ statuses = {} }: CommandRow): Readonly<Record<string, string>> {
  return { ...STATUSES, ...statuses }
}

/** How a command is called, without its options. */
function toCall(name: string, { argument, isOptional }: CommandRow): string {
  if (argument === null) return name
  return isOptional ? `${name} [${argument}]` : `${name} <${argument}>`
}

/** How an option is given. */
function toOption(name: keyof typeof OPTIONS): string {
  const { value } = OPTIONS[name]
  return value === null ? `--${name}` : `--${name} <${value}>`
}

/** A text as a sentence. */
function toSentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`
}

/** Rows of two columns, the second one wrapped. */
function formatRows(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.max(...rows.map(([name]) => name.length)) + 2
  return rows.flatMap(([name, text]) =>
    wrap(text, WIDTH - left - 2).map((line, i) => `  ${(i === 0 ? name : '').padEnd(left)}${line}`),
  )
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}
