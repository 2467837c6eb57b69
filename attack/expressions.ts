/**
 * The `tool` step: finds regular expressions in the built library that take more than linear time.
 * Each one runs on hostile texts of 100 KB, in a thread that can be stopped. A quadratic expression
 * takes seconds for such a text, a linear one less than a millisecond.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type Program, parseSync, Visitor } from 'oxc-parser'
import type { Attacker } from './attacker.ts'
import type { JsonObject } from './cases.ts'
import { LIBRARY } from './root.ts'
import { Unsupported } from './values.ts'

/** One expression of the package. */
interface Expression {
  readonly pattern: string
  readonly flags: string
  readonly file: string
}

/** The time limit for one expression on all texts, in milliseconds. */
const DEADLINE = 3_000

/** A file's expressions, and the number of those that it builds only from values. */
interface FileScan {
  readonly expressions: readonly Expression[]
  readonly unknown: number
}

/**
 * Collects the literals of a file, and the templates that it passes to `new RegExp`, with a letter
 * for each placeholder. A reviewer must check what fills the placeholders. An expression that is a
 * value as a whole is only counted.
 */
function collect(file: string, program: Program): FileScan {
  const expressions: Expression[] = []
  let unknown = 0
  new Visitor({
    Literal(node) {
      if ('regex' in node) expressions.push({ ...node.regex, file })
    },
    NewExpression({ callee, arguments: [source, flags] }) {
      if (callee.type !== 'Identifier' || callee.name !== 'RegExp' || source?.type === 'Literal') return
      if (source?.type !== 'TemplateLiteral') {
        unknown += 1
        return
      }
      const pattern = source.quasis.map(({ value }) => value.cooked ?? '').join('x')
      expressions.push({ pattern, flags: flags?.type === 'Literal' ? String(flags.value) : '', file })
    },
  }).visit(program)
  return { expressions, unknown }
}

/** The program of the thread: takes an expression and returns its slowest time. */
const THREAD = `
const { parentPort } = require('node:worker_threads')
const units = ['a', 'A', '0', ' ', '\\t', ',', ';', '=', '.', '/', '-', '_', '"', '\\\\', ':', '%', '\\u00a0', 'a ', 'a,', 'a;', 'a=', ', ', '= ', '; ', 'a.', 'https://a', '-a', '\\n']
const texts = units.flatMap(unit => {
  const run = unit.repeat(Math.ceil(100000 / unit.length))
  return [run, run + '!', run + '\\n!', 'a' + run + 'x', '{' + run + '\\0']
})
parentPort.on('message', ({ pattern, flags }) => {
  const expression = new RegExp(pattern, flags)
  let slowest = 0
  for (const text of texts) {
    expression.lastIndex = 0
    const started = performance.now()
    text.replace(expression, '')
    slowest = Math.max(slowest, performance.now() - started)
  }
  parentPort.postMessage(slowest)
})
`

/** The slowest time of an expression on all texts, in milliseconds; Infinity if it was stopped. */
function time(expression: Expression): Promise<number> {
  const worker = new Worker(THREAD, { eval: true })
  return new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => resolve(Number.POSITIVE_INFINITY), DEADLINE)
    worker.on('message', (slowest) => {
      clearTimeout(timer)
      resolve(slowest)
    })
    worker.on('error', reject)
    worker.postMessage(expression)
  }).finally(() => worker.terminate())
}

/** Runs each expression of `dist/esm` on hostile texts. */
export async function scanExpressions(_body: JsonObject, attacker: Attacker): Promise<void> {
  const folder = join(LIBRARY, 'dist', 'esm')
  if (!existsSync(folder)) throw new Unsupported('the package is not built: there is no dist/esm')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.js'),
  )
  const found = files.map((file) =>
    collect(file, parseSync(file, readFileSync(join(folder, file), 'utf8')).program),
  )
  const slow: string[] = []
  const expressions = found.flatMap((one) => one.expressions)
  for (const expression of expressions) {
    const slowest = await time(expression)
    const { pattern, flags, file } = expression
    if (slowest > 100) slow.push(`/${pattern}/${flags} in ${file}: ${Math.round(slowest)} ms`)
  }
  attacker.findings.set('expressions', expressions.length)
  attacker.findings.set('slow expressions', slow)
  attacker.findings.set(
    'expressions that are values',
    found.reduce((sum, { unknown }) => sum + unknown, 0),
  )
}
