/*
 * Small hands for the DOM: make an element, find one that page.html promises, replace what is
 * inside. Text goes in as text nodes only. Nothing here reads markup out of a string, so the page
 * works under `require-trusted-types-for 'script'`, and no answer of a server can become markup.
 */

export type Child = Node | string | false | null | undefined
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

const SVG = 'http://www.w3.org/2000/svg'

/**
 * Makes an HTML element. An attribute that is `true` is set empty; `false` and `undefined` are left
 * out.
 */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children)
}

/** Makes an SVG element, by the same rules as `element`. */
export function drawing<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS(SVG, tag), attributes, children)
}

/**
 * Finds the element of that id and class, which page.html promises; throws when it is not there.
 */
export function find<E extends Element>(id: string, kind: new () => E): E {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`page.html has no ${kind.name} with the id '${id}'`)
}

/** Puts `children` in the place of whatever is inside `parent`. */
export function replace(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren(...children.filter(isShown))
}

/**
 * Writes text only when it differs, so that a clock that ticks does not disturb layout or a screen
 * reader.
 */
export function write(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text
}

function fill<E extends Element>(made: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : String(value))
  }
  made.append(...children.filter(isShown))
  return made
}

function isShown(child: Child): child is Node | string {
  return child !== null && child !== undefined && child !== false
}
