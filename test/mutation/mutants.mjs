/**
 * The mutants of a source: small changes of its syntax tree, each of which a test should notice.
 * Types, imports, and texts of messages are left alone. Pure: no file is read or written.
 */
import { parseSync } from 'oxc-parser'

/** @typedef {{ start: number, end: number, text: string, what: string, line: number }} Mutant */

const OPERATORS = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '&&': '||',
  '||': '&&',
  '??': '&&',
}

/** Methods of which the opposite is a likely slip. */
const METHODS = { some: 'every', every: 'some', min: 'max', max: 'min' }

/** Nodes below which nothing is changed. */
const LEFT_ALONE =
  /^(?:TS(?!AsExpression|SatisfiesExpression|NonNull)|ImportDeclaration|Export(?:All|Named)Dec)/

/**
 * Lists the mutants of a source, in the order of their places.
 *
 * @param {string} path for messages and the dialect
 * @param {string} source
 * @returns {Mutant[]}
 */
export function listMutants(path, source) {
  const { program, errors } = parseSync(path, source)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`)
  const mutants = []
  const add = (node, text, what) => {
    const line = source.slice(0, node.start).split('\n').length
    mutants.push({ start: node.start, end: node.end, text, what, line })
  }
  const textOf = (node) => source.slice(node.start, node.end)
  visit(program, undefined, (node, parent) => mutate(node, { add, textOf, parent }))
  return mutants.sort((a, b) => a.start - b.start)
}

/** The source with one mutant in it. */
export function applyMutant(source, { start, end, text }) {
  return source.slice(0, start) + text + source.slice(end)
}

function visit(node, parent, onNode) {
  if (Array.isArray(node)) for (const item of node) visit(item, parent, onNode)
  if (typeof node?.type !== 'string') return
  // An exported declaration is looked into; a list of exports is not.
  if (LEFT_ALONE.test(node.type) && !node.declaration) return
  // A programming error's message is no behavior.
  if (node.type === 'ThrowStatement' || isMessage(node)) return
  onNode(node, parent)
  for (const [name, child] of Object.entries(node)) {
    if (name !== 'typeAnnotation' && name !== 'returnType' && name !== 'typeArguments')
      if (typeof child === 'object' && child !== null) visit(child, node, onNode)
  }
}

function isMessage({ type, callee }) {
  return type === 'NewExpression' && /Error$/.test(callee?.name ?? '')
}

function mutate(node, { add, textOf, parent }) {
  const { type } = node
  if (type === 'BinaryExpression' || type === 'LogicalExpression') {
    const other = OPERATORS[node.operator]
    if (other)
      add(node, `(${textOf(node.left)} ${other} ${textOf(node.right)})`, `${node.operator} -> ${other}`)
  } else if (type === 'IfStatement' || type === 'ConditionalExpression' || type === 'WhileStatement') {
    for (const value of type === 'WhileStatement' ? ['false'] : ['true', 'false'])
      add(node.test, value, `${textOf(node.test)} -> ${value}`)
  } else if (type === 'UnaryExpression' && node.operator === '!') {
    add(node, textOf(node.argument), 'without !')
  } else if (type === 'Literal' && typeof node.value === 'boolean') {
    add(node, String(!node.value), `${node.value} -> ${!node.value}`)
  } else if (type === 'Literal' && typeof node.value === 'number' && parent?.type !== 'TSLiteralType') {
    add(node, `(${textOf(node)} + 1)`, `${textOf(node)} + 1`)
  } else if (type === 'ExpressionStatement' && isEffect(node.expression)) {
    add(node, ';', `without ${textOf(node).split('\n', 1)[0]}`)
  } else if (type === 'MemberExpression' && METHODS[node.property?.name]) {
    const { property } = node
    add(property, METHODS[property.name], `${property.name} -> ${METHODS[property.name]}`)
  }
}

function isEffect(expression) {
  const inner = expression.type === 'AwaitExpression' ? expression.argument : expression
  return ['CallExpression', 'AssignmentExpression', 'UpdateExpression'].includes(inner.type)
}
