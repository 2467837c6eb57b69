/** The exports of the package's entry points, as the TypeScript compiler sees them. */
import { join } from 'node:path'
import ts from 'typescript'
import { ROOT } from '../pages/repository.mjs'

/** For each entry point the names of its exports, types included. */
export function exportsOf(points) {
  const files = points.map(({ file }) => join(ROOT, file))
  const options = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    allowImportingTsExtensions: true,
    noEmit: true,
    noLib: true,
    types: [],
  }
  const program = ts.createProgram(files, options, ownFilesOnly(options))
  const checker = program.getTypeChecker()
  return points.map(({ name }, index) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(files[index]))
    return { name, exports: checker.getExportsOfModule(module).map((symbol) => symbol.name) }
  })
}

/** Reads no package and no library of the language: what is exported is in the sources alone. */
function ownFilesOnly(options) {
  const host = ts.createCompilerHost(options)
  host.resolveModuleNameLiterals = (literals, from) =>
    literals.map(({ text }) =>
      text.startsWith('.') ? ts.resolveModuleName(text, from, options, host) : { resolvedModule: undefined },
    )
  return host
}

/** The exports without a heading on a page of their entry point, or without a text below it. */
export function missingExports(points, pagesOf) {
  return exportsOf(points).flatMap(({ name, exports }) => {
    const pages = pagesOf(name)
    if (pages.length === 0) return [`${name} has no page`]
    if (exports.length === 0) return [`${name} exports nothing`]
    return exports.flatMap((one) => {
      const heading = new RegExp(`<h3 id="${one.toLowerCase()}(?:-\\d+)?"[^>]*>${one}(?:\\(\\))? <`)
      const page = pages.find(({ html }) => heading.test(html))
      if (!page) return [`${name}: ${one} is not in the reference`]
      const section = page.html.slice(page.html.search(heading)).split(/<\/h3>/)[1] ?? ''
      return /<p>|<table/.test(section) ? [] : [`${name}: ${one} has no text`]
    })
  })
}
