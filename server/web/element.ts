/*
 * Helpers for the DOM: create an element, find one of page.html, replace its children. Text goes in
 * as text nodes only, never as markup. So the page works under
 * `require-trusted-types-for 'script'`, and no response of the server can become markup.
 */

export type Child = Node | string | false | null | undefined
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/** Creates an HTML element. `true` sets an empty attribute; `false` and `undefined` set none. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children)
}

/** Finds the element of page.html with this ID and class. Throws without one. */
export function find<E extends Element>(id: string, kind: new () => E): E {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`page.html has no ${kind.name} with the id '${id}'`)
}

/** Finds the first element inside `root` that a selector describes. Throws without one. */
export function findIn(root: ParentNode, selector: string): HTMLElement {
  const found = root.querySelector(selector)
  if (found instanceof HTMLElement) return found
  throw new Error(`page.html has no ${selector} in its place`)
}

/** Replaces the children of `parent`. */
export function replace(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren(...children.filter(isShown))
}

/** Writes a text only if it differs, so that a ticking clock does not disturb a screen reader. */
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
