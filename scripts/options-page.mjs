// Writes docs/reference/options.md from the source: the names, types and doc comments of the
// options, and their defaults. `npm run docs:options` runs it after a build. It refuses a comment
// that states another default than the table has. A test compares the page with what it writes.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync } from 'oxc-parser'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PAGE = join(ROOT, 'docs/reference/options.md')

const OPENING = `# Options

<!-- Written by scripts/options-page.mjs from the comments in src/. Do not edit: change the comment
of the option and run \`npm run docs:options\`. -->

\`createAuth(options)\` checks all options when you call it. It refuses an unknown name and suggests
the nearest known one. If an option adds a check (\`issuer\`, \`audience\`, \`realm\`, \`origin\`,
\`claims\`, \`sessions\`, \`isRevoked\`), it also refuses \`undefined\`: a variable that is not set must
not switch the check off.

A \`Duration\` is \`'15m'\`, \`{ minutes: 15 }\` or a number of seconds. A numeric string without a
unit is refused.

## Options of \`createAuth\`
`

const REQUIREMENTS = `## Requirements

\`guard.token(...)\`, \`auth.verifyToken(...)\` and \`auth.authenticate(...)\` take a requirement. A
member that is \`undefined\` is refused, and so is \`guard.scopes()\` without a scope.

The checks run in this order: location, origin, signature and claims, type, realm, CSRF value,
revocation, freshness, scopes.
`

/** The guide of an option, by its name. */
const GUIDES = {
  keys: '[keys](../guide/keys.md)',
  cookies: '[cookies and CSRF](../guide/cookies.md)',
  csrf: '[cookies and CSRF](../guide/cookies.md)',
  interop: '[keys](../guide/keys.md)',
  sessions: '[sessions](../guide/sessions.md)',
  revocation: '[sessions](../guide/sessions.md)',
  fresh: '[step-up](../guide/step-up.md)',
  maxAge: '[step-up](../guide/step-up.md)',
}

/**
 * Returns the text of the page.
 *
 * @param {Iterable<{ path: string, text: string }>} files the TypeScript sources
 * @param {{ options: object, requirement: object }} defaults the tables of defaults
 * @throws {Error} for an option without a comment, and for a comment and a table that disagree
 */
export function toOptionsPage(files, defaults) {
  const declarations = readDeclarations(files)
  const options = describe(declarations, membersOf(declarations, 'AuthOptions'), defaults.options)
  const requirements = [
    ...membersOf(declarations, 'TokenRequirement'),
    ...declarations.interfaces.get('Requirement').members,
  ]
  const requirement = describe(declarations, requirements, defaults.requirement)
  return [OPENING, ...options, REQUIREMENTS, ...requirement].join('\n')
}

/** The interfaces and type aliases of all sources, by name. No name is exported twice. */
function readDeclarations(files) {
  const interfaces = new Map()
  const aliases = new Map()
  for (const { path, text } of files) {
    const { program, comments } = parseSync(path, text)
    for (const { type, declaration } of program.body) {
      if (type !== 'ExportNamedDeclaration' || declaration === null) continue
      const { id, body, typeAnnotation } = declaration
      const textOf = ({ start, end }) => text.slice(start, end).replace(/\s+/g, ' ')
      if (declaration.type === 'TSTypeAliasDeclaration') aliases.set(id.name, textOf(typeAnnotation))
      if (declaration.type !== 'TSInterfaceDeclaration') continue
      const toMember = ({ key, typeAnnotation, start }) => ({
        name: key.name,
        type: textOf(typeAnnotation.typeAnnotation),
        doc: docBefore(text, comments, start),
        members: propertiesOf(typeAnnotation.typeAnnotation.members).map(({ key }) => key),
      })
      interfaces.set(id.name, {
        parents: (declaration.extends ?? []).map(({ expression }) => expression.name),
        members: propertiesOf(body.body).map(toMember),
      })
    }
  }
  return { interfaces, aliases }
}

function propertiesOf(members = []) {
  return members.filter(({ type }) => type === 'TSPropertySignature')
}

/** The doc comment directly before a place, as one line without its tags. */
function docBefore(text, comments, start) {
  const comment = comments.findLast(({ end }) => end <= start)
  if (comment === undefined || !/^\s*$/.test(text.slice(comment.end, start))) return ''
  const lines = comment.value.split('\n').map((line) => line.replace(/^\s*\*+\s?|\s+$/g, ''))
  return lines
    .join(' ')
    .replace(/\s@\w+ .*$/, '')
    .replace(/\{@link (\w+)\}/g, '`$1`')
    .trim()
}

/** The members of an interface, then those of its parents. */
function membersOf(declarations, name) {
  const { members, parents } = declarations.interfaces.get(name)
  return [...members, ...parents.flatMap((parent) => membersOf(declarations, parent))]
}

/** A table of the members, then a section for each group of options among them. */
function describe(declarations, members, defaults) {
  const groups = groupsIn(declarations, members)
  const unused = new Set(pathsOf(defaults))
  const rowOf = (paths, member) => {
    for (const path of paths) unused.delete(path)
    return toRow(declarations, { paths, member, defaults, groups })
  }
  const rows = members.map((member) => rowOf([member.name], member))
  const sections = groups.map(({ names, group }) => {
    const title = `### ${names.map((name) => `\`${name}\``).join(', ')}\n`
    return [title, TABLE, ...rowsOf(declarations, { names, group, rowOf }), ''].join('\n')
  })
  const [first] = unused
  if (first !== undefined) throw new Error(`The default of ${first} belongs to no option`)
  return [[TABLE, ...rows, ''].join('\n'), ...sections]
}

const TABLE = '| option | type | meaning | default |\n| --- | --- | --- | --- |'

/** The groups among members, such as `cookies`. Members of the same type are one group. */
function groupsIn(declarations, members) {
  const groups = new Map()
  for (const { name, type } of members) {
    const group = groupOf(declarations, type)
    if (group !== undefined) groups.set(group, [...(groups.get(group) ?? []), toGroupName(name, type)])
  }
  return [...groups].map(([group, names]) => ({ names, group }))
}

/** The interface of a group of options in a type. */
function groupOf({ interfaces }, type) {
  const names = type.match(/\b[A-Z]\w*/g) ?? []
  return names.find((name) => /Options$|^AuthEvents$/.test(name) && interfaces.has(name))
}

function toGroupName(name, type) {
  return type.endsWith('[]') ? `${name}[]` : name
}

/** The rows of a group, and of the groups in it. */
function rowsOf(declarations, { names, group, rowOf }) {
  const members = membersOf(declarations, group)
  const paths = (member) => names.map((name) => `${name}.${member}`)
  return [
    ...members.map((member) => rowOf(paths(member.name), member)),
    ...groupsIn(declarations, members).flatMap((inner) =>
      rowsOf(declarations, { names: inner.names.flatMap(paths), group: inner.group, rowOf }),
    ),
  ]
}

/** One row: an option, or the options of the same name in groups of the same type. */
function toRow(declarations, { paths, member, defaults, groups }) {
  const [path] = paths
  if (member.doc === '') throw new Error(`The option ${path} has no comment`)
  const [, meaning, given, required] = /^(.*?)\s*(?:\bDefault:? (.+)\.|\b(Required)\.)?$/.exec(member.doc)
  const stated = given ?? required?.toLowerCase() ?? ''
  checkDefault(paths, stated, defaults)
  const guide = GUIDES[path] === undefined ? '' : ` See ${GUIDES[path]}.`
  const type = path.startsWith('on.')
    ? toEventCell(declarations, member)
    : toTypeCell(declarations, member.type, groups)
  const cells = [paths.map((name) => `\`${name}\``).join(', '), type, `${meaning}${guide}`, stated]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

/** The type as code. A group of options is a link to its section. */
function toTypeCell(declarations, type, groups) {
  const group = groupOf(declarations, type)
  const parts = plain(type).split(' | ')
  const others = parts.filter((part) => group === undefined || !part.includes(group)).join(' | ')
  const names = groups.find((section) => section.group === group)?.names
  const link = names === undefined ? 'options' : `[options](#${toAnchor(names)})`
  const code = others === '' ? [] : [`\`${expand(declarations, others)}\``]
  return [...code, ...(group === undefined ? [] : [link])].join(' or ')
}

/** The anchor of the section's heading: forges leave out brackets. */
function toAnchor(names) {
  return names.join('-').toLowerCase().replaceAll('[]', '')
}

/** The names of the members of an event. */
function toEventCell({ interfaces }, { type, members }) {
  const all = members.length > 0 ? members : interfaces.get(type).members
  return `\`{ ${all.map(({ name }) => name).join(', ')} }\``
}

/** A type without what says nothing to a reader. */
function plain(type) {
  return type.replace(/\breadonly |<(?:I, )?C>|<I>/g, '').replace(/^\| |(?<=\() | ?,(?= \))| (?=\))/g, '')
}

/** Replaces the name of a union of literals by the union. */
function expand({ aliases }, type) {
  return type.replace(/\b[A-Z]\w*(\[\])?/g, (name, list = '') => {
    const text = aliases.get(name.replace('[]', '')) ?? ''
    if (!/^(?:'\w+'|false)(?: \| (?:'\w+'|false))*$/.test(text)) return name
    return list === '' ? text : `(${text})${list}`
  })
}

/** Checks that a comment states the default that the table has. */
function checkDefault(paths, stated, defaults) {
  const values = paths.map((path) => valueAt(defaults, path)).filter((value) => value !== undefined)
  const wanted = [...new Set(values.map(format))]
  const found = [...stated.matchAll(/`([^`]+)`|\b\d[\d,.]*(?: MiB)?/g)].map(([all, code]) => code ?? all)
  if (wanted.every((value, index) => value === found[index])) return
  throw new Error(`The comment of ${paths[0]} must state the default ${wanted.join(', ')}: "${stated}"`)
}

/** A default in the form in which comments state it. */
function format(value) {
  if (Array.isArray(value)) return `[${value.map(format).join(', ')}]`
  if (typeof value === 'string') return `'${value}'`
  if (typeof value !== 'number') return String(value)
  const count = value / 1024 ** 2
  return Number.isInteger(count) && count > 0 ? `${count} MiB` : value.toLocaleString('en-US')
}

/** The default at a path. That of a group is its `mode`, which can stand for the group. */
function valueAt(defaults, path) {
  const value = path.split('.').reduce((group, name) => group?.[name], defaults)
  return isGroup(value) ? value.mode : value
}

function pathsOf(defaults, prefix = '') {
  return Object.entries(defaults).flatMap(([name, value]) =>
    isGroup(value) ? pathsOf(value, `${prefix}${name}.`) : [prefix + name],
  )
}

function isGroup(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Reads the sources and the tables of the build, and writes the page. */
async function main() {
  const paths = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  const files = paths
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, text: readFileSync(join(ROOT, 'src', path), 'utf8') }))
  const { DEFAULTS } = await import('../dist/src/auth/resolve-options.js')
  const { REQUIREMENT_DEFAULTS } = await import('../dist/src/auth/requirement.js')
  writeFileSync(PAGE, toOptionsPage(files, { options: DEFAULTS, requirement: REQUIREMENT_DEFAULTS }))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
