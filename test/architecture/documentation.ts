/**
 * Documentation: every symbol that a user reaches from an entry point, and every member of such an
 * interface, object type or class. What only modules of the project see is documented as they like.
 */
import { declaredNames } from './exports.ts'
import { publicSurface } from './public-surface.ts'
import { at, childrenOf, isNode, type Node, type Source } from './source.ts'

const MEMBERS = new Set(['TSPropertySignature', 'TSMethodSignature', 'TSCallSignatureDeclaration'])
const COMPOSED = new Set([
  'TSUnionType',
  'TSIntersectionType',
  'TSParenthesizedType',
  'TSArrayType',
  'TSTypeOperator',
])
const TRANSPARENT = new Set(['Readonly', 'Partial', 'Required', 'Array', 'ReadonlyArray'])

/**
 * Symbols and members that a user can reach, without a doc comment directly before them.
 *
 * @param entries the paths of the entry points
 */
export function checkDocumented(sources: readonly Source[], entries: readonly string[]): string[] {
  return publicSurface(sources, entries).flatMap(({ source, outer, inner }) =>
    checkExport(source, outer, inner),
  )
}

function checkExport(source: Source, outer: Node, inner: Node): string[] {
  const [name = 'the default export'] = declaredNames(inner)
  const problems =
    isDocumented(source, outer) || isLaterOverload(source, outer, name)
      ? []
      : [undocumented(source, outer, name)]
  return [...problems, ...membersOf(inner).flatMap((member) => checkMember(source, name, member))]
}

function checkMember(source: Source, owner: string, member: Node): string[] {
  if (isDocumented(source, member) || isDiscriminant(member)) return []
  const key = member['key']
  const name = isNode(key) ? source.text.slice(key.start, key.end) : 'a call signature'
  return [undocumented(source, member, `${owner}.${name}`)]
}

function undocumented(source: Source, node: Node, name: string): string {
  return `${at(source, node.start)} ${name} has no /** documentation */ directly before it`
}

/** The members that a user of an exported type or class can name, those of nested object types included. */
function membersOf(declaration: Node): Node[] {
  if (declaration.type === 'TSInterfaceDeclaration') return typeMembers(declaration['body'] as Node)
  if (declaration.type === 'TSTypeAliasDeclaration') return typeMembers(declaration['typeAnnotation'] as Node)
  if (declaration.type !== 'ClassDeclaration') return []
  return childrenOf(declaration['body'] as Node).filter((member) => {
    const hidden =
      ['private', 'protected'].includes(String(member['accessibility'])) || member['override'] === true
    const key = member['key']
    return !hidden && member['kind'] !== 'constructor' && isNode(key) && key.type !== 'PrivateIdentifier'
  })
}

/** Goes through what an object type is made of, not through the arguments of other people's generics. */
function typeMembers(type: Node): Node[] {
  if (type.type === 'TSTypeLiteral' || type.type === 'TSInterfaceBody') {
    const members = childrenOf(type).filter((member) => MEMBERS.has(member.type))
    return members.flatMap((member) => {
      const annotation = member.type === 'TSPropertySignature' ? member['typeAnnotation'] : undefined
      return [member, ...(isNode(annotation) ? typeMembers(annotation['typeAnnotation'] as Node) : [])]
    })
  }
  if (COMPOSED.has(type.type)) return childrenOf(type).flatMap(typeMembers)
  const name = type.type === 'TSTypeReference' ? String((type['typeName'] as Node)['name']) : ''
  const given = type['typeArguments']
  return TRANSPARENT.has(name) && isNode(given) ? (given['params'] as Node[]).flatMap(typeMembers) : []
}

/** `kind: 'x'` in a union says itself what it is. */
function isDiscriminant(member: Node): boolean {
  const annotation = member['typeAnnotation']
  return isNode(annotation) && (annotation['typeAnnotation'] as Node).type === 'TSLiteralType'
}

/** Overloads share the first one's comment. */
function isLaterOverload(source: Source, outer: Node, name: string): boolean {
  const body = source.program['body'] as Node[]
  const before = body[body.indexOf(outer) - 1]
  const inner = before && isNode(before['declaration']) ? before['declaration'] : before
  return inner?.type === 'TSDeclareFunction' && declaredNames(inner)[0] === name
}

function isDocumented(source: Source, node: Node): boolean {
  return source.docEnds.some((end) => end <= node.start && /^\s*$/.test(source.text.slice(end, node.start)))
}
