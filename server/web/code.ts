/*
 * A panel of code with tabs for server and client, and a button that copies it. The colors come
 * from a small scanner of words, strings and comments, which creates elements and no markup.
 */

import { type Child, element, replace, write } from './element.ts'
import type { Snippet } from './snippets.ts'

const TOKEN =
  /(?<comment>\/\/[^\n]*)|(?<string>'[^'\n]*'|`[^`]*`)|(?<keyword>\b(?:import|from|const|await|async|return|new|export|default|if|null|true|false)\b)|(?<name>\b[a-zA-Z_]\w*(?=\())/g

const SIDES = [
  { side: 'server', label: 'Server' },
  { side: 'client', label: 'Browser' },
] as const

/** Fills `root` with a panel. Returns the function that shows another snippet. */
export function createCode(root: HTMLElement, snippet: Snippet): (snippet: Snippet) => void {
  const panel = createPre()
  const id = `${root.id}-panel`
  panel.id = id
  panel.setAttribute('role', 'tabpanel')
  let shown = snippet
  let current: keyof Snippet = 'server'
  const tabs = SIDES.map(({ side, label }) => {
    const tab = element('button', {
      type: 'button',
      role: 'tab',
      class: 'code-tab',
      id: `${root.id}-${side}`,
      'aria-controls': id,
    })
    tab.append(label)
    tab.addEventListener('click', () => select(side))
    tab.addEventListener('keydown', ({ key }) => {
      if (key !== 'ArrowLeft' && key !== 'ArrowRight') return
      select(side === 'server' ? 'client' : 'server')
      tabs.find((other) => other.id === `${root.id}-${current}`)?.focus()
    })
    return tab
  })
  const draw = (): void => {
    for (const tab of tabs) {
      const isCurrent = tab.id === `${root.id}-${current}`
      tab.setAttribute('aria-selected', String(isCurrent))
      tab.tabIndex = isCurrent ? 0 : -1
    }
    panel.setAttribute('aria-labelledby', `${root.id}-${current}`)
    replace(panel, element('code', {}, ...color(shown[current])))
  }
  const select = (side: keyof Snippet): void => {
    current = side
    draw()
  }
  const list = element('div', { class: 'code-tabs', role: 'tablist', 'aria-label': 'Code' }, ...tabs)
  replace(
    root,
    createHead(list, () => shown[current]),
    panel,
  )
  draw()
  return (next) => {
    shown = next
    draw()
  }
}

/** Fills `root` with one file. */
export function createFile(root: HTMLElement, name: string, code: string): void {
  const panel = createPre()
  panel.setAttribute('role', 'region')
  panel.setAttribute('aria-label', name)
  panel.append(element('code', {}, ...color(code)))
  replace(
    root,
    createHead(element('p', { class: 'code-name' }, name), () => code),
    panel,
  )
}

/** Copies on a press, and says whether that worked. */
export function connectCopy(button: HTMLButtonElement, text: () => string): void {
  button.addEventListener('click', () => {
    void copy(text()).then((isCopied) => {
      write(button, isCopied ? 'Copied' : 'Failed')
      setTimeout(() => write(button, 'Copy'), 2000)
    })
  })
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}

function createHead(title: HTMLElement, text: () => string): HTMLElement {
  const button = element('button', { type: 'button', class: 'copy', 'aria-label': 'Copy the code' }, 'Copy')
  connectCopy(button, text)
  return element('div', { class: 'code-head' }, title, button)
}

/** Long lines scroll, so the keyboard must reach it. */
function createPre(): HTMLPreElement {
  return element('pre', { tabindex: 0 })
}

function color(code: string): readonly Child[] {
  const children: Child[] = []
  let end = 0
  for (const match of code.matchAll(TOKEN)) {
    const [kind] = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined) ?? ['name']
    children.push(code.slice(end, match.index), element('span', { class: `code-${kind}` }, match[0]))
    end = match.index + match[0].length
  }
  return [...children, code.slice(end)]
}
