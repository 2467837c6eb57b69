/**
 * The reference, made from the sources by TypeDoc: a page for each entry point of the package, or
 * for each topic of a large one, with every export, its comment and its signature. TypeDoc needs a
 * TypeScript compiler that has an API in JavaScript, so the site has one of its own.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Application } from 'typedoc'
import { forge } from './forge.mjs'
import { ROOT, read } from './repository.mjs'
import { writePage } from './stage.mjs'
import { divide } from './topics.mjs'

const WORK = new URL('../.cache/reference/', import.meta.url).pathname
const TOPICS = join(WORK, 'topics.json')

/** The names of the entry points, such as `tokenwright/hono`, with their source files. */
export function entryPoints() {
  const manifest = JSON.parse(read('package.json'))
  return Object.entries(manifest.exports)
    .filter(([, target]) => typeof target === 'object')
    .map(([name, { default: target }]) => ({
      name: name.replace('.', manifest.name),
      file: target.types.replace('./dist/', '').replace(/\.d\.ts$/, '.ts'),
    }))
}

/** Where an entry point is documented. */
export const referenceAddressOf = (name) => `/reference/api/${toFileName(name)}`

const toFileName = (name) => name.replaceAll('/', '-')

/** The topics of each divided entry point after the build, as `{ [name]: { text, link }[] }`. */
export const topicsOf = () => (existsSync(TOPICS) ? JSON.parse(readFileSync(TOPICS, 'utf8')) : {})

/** Writes the pages; what TypeDoc complains of as an error ends the build. */
export async function stageReference() {
  rmSync(WORK, { recursive: true, force: true })
  mkdirSync(WORK, { recursive: true })
  const points = entryPoints()
  const out = join(WORK, 'pages')
  const app = await Application.bootstrapWithPlugins(optionsFor(points))
  const project = await app.convert()
  if (!project || app.logger.hasErrors()) throw new Error('TypeDoc cannot read the sources')
  const filesOf = new Map()
  for (const module of project.children) {
    const { name } = points.find(({ file }) => file === `src/${module.name}.ts`) ?? {}
    if (!name) throw new Error(`TypeDoc documents ${module.name}, which is no entry point`)
    module.name = toFileName(name)
    filesOf.set(name, new Map(module.children.map((one) => [one.name, sourceOf(one)])))
  }
  keepSources(project)
  await app.generateOutputs(project)
  if (app.logger.hasErrors()) throw new Error('TypeDoc cannot write the reference')
  const texts = points.map(({ name }) => {
    const text = readFileSync(join(out, `${toFileName(name)}.md`), 'utf8')
    return { name, text, divided: divide(text, filesOf.get(name)) }
  })
  writeReference(texts)
}

/** The file of an export, below `src/`. */
const sourceOf = ({ sources }) => sources?.[0]?.fileName.replace(/^src\//, '') ?? ''

/** An export says where it is defined if there is a forge to show it; its members do not. */
function keepSources(project) {
  const exports = forge ? project.children.flatMap(({ children }) => children) : []
  const shown = new Set(exports.flatMap((one) => [one, ...(one.signatures ?? [])]))
  for (const reflection of Object.values(project.reflections)) {
    if (!shown.has(reflection)) delete reflection.sources
    for (const source of reflection.sources ?? [])
      source.url = `${forge.files}${source.fileName}#L${source.line}`
  }
}

function writeReference(texts) {
  const pageOf = (file, anchor = '') => {
    const { name, divided } = texts.find((one) => toFileName(one.name) === file)
    const topic = divided?.topicOfAnchor.get(anchor)
    return topic ? `${referenceAddressOf(name)}/${topic}` : referenceAddressOf(name)
  }
  const topics = {}
  for (const { name, text, divided } of texts) {
    const address = referenceAddressOf(name)
    const write = (at, title, body) => writePage(at, `# ${title}\n\n${toPage(body, at, name, pageOf)}`)
    if (!divided) {
      write(address, `\`${name}\``, text)
      continue
    }
    for (const { topic, title, text: body } of divided.pages)
      write(`${address}/${topic}`, `${title}: \`${name}\``, body)
    topics[name] = divided.pages.map(({ topic, title }) => ({ text: title, link: `${address}/${topic}` }))
    writePage(address, toIndex(name, divided.pages, pageOf))
  }
  writeFileSync(TOPICS, JSON.stringify(topics))
  const rows = texts.map(({ name }) => `- [\`${name}\`](${referenceAddressOf(name)})`)
  writePage(
    '/reference/api/',
    `# Entry points\n\nEvery export of the package, from the comments of its source.\n\n${rows.join('\n')}\n`,
  )
}

/** The page of a divided entry point: every export with its first sentence. */
function toIndex(name, pages, pageOf) {
  const at = referenceAddressOf(name)
  const parts = pages.map(({ topic, title, exports }) => {
    const rows = exports.map((one) => {
      const [, anchor] = /<a id="([^"]+)">/.exec(one.section)
      return `| [\`${one.name}\`](${at}/${topic}#${anchor}) | ${one.summary} |`
    })
    return `## [${title}](${at}/${topic})\n\n| export | what it is |\n| --- | --- |\n${rows.join('\n')}\n`
  })
  return toPage(`# \`${name}\`\n\n${parts.join('\n')}`, at, name, pageOf)
}

function optionsFor(points) {
  const tsconfig = join(WORK, 'tsconfig.json')
  writeFileSync(
    tsconfig,
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.base.json'),
      compilerOptions: { noEmit: true, rootDir: ROOT, experimentalDecorators: true },
      include: [join(ROOT, 'src')],
    }),
  )
  return {
    tsconfig,
    plugin: ['typedoc-plugin-markdown'],
    outputs: [{ name: 'markdown', path: join(WORK, 'pages') }],
    entryPoints: points.map(({ file }) => join(ROOT, file)),
    // The type check is the repository's own.
    skipErrorChecking: true,
    validation: false,
    excludeExternals: true,
    excludePrivate: true,
    // The links are made by `keepSources`, but TypeDoc asks for the form of one.
    disableGit: true,
    gitRevision: 'none',
    sourceLinkTemplate: '{path}',
    tableColumnSettings: { hideSources: true },
    readme: 'none',
    logLevel: 'Error',
    outputFileStrategy: 'modules',
    flattenOutputFiles: true,
    hidePageHeader: true,
    hideBreadcrumbs: true,
    hidePageTitle: true,
    useHTMLAnchors: true,
    useCodeBlocks: true,
    expandParameters: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    classPropertiesFormat: 'table',
    typeAliasPropertiesFormat: 'table',
    propertyMembersFormat: 'table',
    typeDeclarationFormat: 'table',
  }
}

/**
 * The links of TypeDoc go to its own anchors, so the headings get those. A member is one link with
 * the name of its owner, as a link's text has to say alone where it leads.
 */
function toPage(text, at, name, pageOf) {
  return text
    .replace(/<a id="([^"]+)"><\/a>\n+(#+ [^\n]+)/g, '$2 {#$1}')
    .replace(/\]\((?:([\w-]+)\.md)?(#[^)\s]+)?\)/g, (_, file, anchor = '') => {
      const page = pageOf(file ?? toFileName(name), anchor.slice(1))
      return page === at && anchor ? `](${anchor})` : `](${page}${anchor})`
    })
    .replace(/\[`(\w+)`\]\([^)]*\)\.\[`(\w+)`\]/g, '[`$1.$2`]')
}
