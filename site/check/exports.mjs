/** The exports of the package's entry points, as the TypeScript compiler sees them. */
import { join } from 'node:path'
import ts from 'typescript'
import { ROOT } from '../pages/repository.mjs'

/** For each entry point the names of its exports, types included. */
export function exportsOf(points) {
  const files = points.map(({ file }) => join(ROOT, file))
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    allowImportingTsExtensions: true,
    noEmit: true,
    types: [],
  })
  const checker = program.getTypeChecker()
  return points.map(({ name }, index) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(files[index]))
    return { name, exports: checker.getExportsOfModule(module).map((symbol) => symbol.name) }
  })
}

/** The exports without a heading on the page of their entry point, or without a text below it. */
export function missingExports(points, pageOf) {
  return exportsOf(points).flatMap(({ name, exports }) => {
    const page = pageOf(name)
    if (!page) return [`${name} has no page`]
    if (exports.length === 0) return [`${name} exports nothing`]
    return exports.flatMap((one) => {
      const heading = new RegExp(`<h3 id="${one.toLowerCase()}(?:-\\d+)?"[^>]*>${one}(?:\\(\\))? <`)
      const start = page.html.search(heading)
      if (start === -1) return [`${name}: ${one} is not in the reference`]
      const section = page.html.slice(start).split(/<\/h3>/)[1] ?? ''
      return /<p>|<table/.test(section) ? [] : [`${name}: ${one} has no text`]
    })
  })
}
