/**
 * The reference, made from the sources by TypeDoc: a page for each entry point of the package, with
 * every export, its comment and its signature. TypeDoc needs a TypeScript compiler that has an API
 * in JavaScript, so the site has one of its own.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Application } from 'typedoc'
import { ROOT, read } from './repository.mjs'
import { writePage } from './stage.mjs'

const WORK = new URL('../.cache/reference/', import.meta.url).pathname

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

/** Writes the pages; what TypeDoc complains of as an error ends the build. */
export async function stageReference() {
  rmSync(WORK, { recursive: true, force: true })
  mkdirSync(WORK, { recursive: true })
  const points = entryPoints()
  const out = join(WORK, 'pages')
  const app = await Application.bootstrapWithPlugins(optionsFor(points))
  const project = await app.convert()
  if (!project || app.logger.hasErrors()) throw new Error('TypeDoc cannot read the sources')
  for (const module of project.children) {
    const { name } = points.find(({ file }) => file === `src/${module.name}.ts`) ?? {}
    if (!name) throw new Error(`TypeDoc documents ${module.name}, which is no entry point`)
    module.name = toFileName(name)
  }
  await app.generateOutputs(project)
  if (app.logger.hasErrors()) throw new Error('TypeDoc cannot write the reference')
  for (const name of readdirSync(out).filter((file) => file !== 'README.md'))
    writePage(
      `/reference/api/${basename(name, '.md')}`,
      toPage(name, readFileSync(join(out, name), 'utf8'), points),
    )
  const rows = points.map(({ name }) => `- [\`${name}\`](${referenceAddressOf(name)})`)
  writePage(
    '/reference/api/',
    `# Entry points\n\nEvery export of the package, from the comments of its source.\n\n${rows.join('\n')}\n`,
  )
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
    disableSources: true,
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

/** The links of TypeDoc go to its own anchors, so the headings get those. */
function toPage(file, text, points) {
  const { name } = points.find((point) => `${toFileName(point.name)}.md` === file) ?? {}
  const body = text
    .replace(/<a id="([^"]+)"><\/a>\n+(#+ [^\n]+)/g, '$2 {#$1}')
    .replace(/\]\(([\w-]+)\.md/g, '](/reference/api/$1')
  return `# \`${name}\`\n\n${body}`
}
