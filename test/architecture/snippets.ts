/**
 * Finds the TypeScript that our documentation shows, so that a test can compile it.
 * A snippet keeps its line numbers: everything around it becomes empty lines, so that the compiler's complaint
 * about line 12 of a snippet is about line 12 of the page.
 */

export interface Snippet {
  /** The page or source that shows it. */
  readonly page: string
  /** Where it starts, from 1. */
  readonly line: number
  /** The code, moved to its own lines. */
  readonly code: string
}

export interface Page {
  readonly snippets: readonly Snippet[]
  /** How many blocks say ```` ```ts no-check ````. */
  readonly unchecked: number
  /** How many blocks say ```` ```ts framework ````: `test/web` compiles them, with what they import. */
  readonly elsewhere: number
}

interface Block {
  readonly words: string
  readonly line: number
  readonly lines: readonly string[]
}

/**
 * The blocks of a Markdown page: ```` ```ts ```` stands alone, ```` ```ts continue ```` goes on from the checked block
 * before it, ```` ```ts no-check ```` and ```` ```ts framework ```` are counted only.
 */
export function snippetsOfPage(page: string, text: string): Page {
  const blocks = blocksOf(text.split('\n')).filter((block) => /^(ts|typescript)\b/.test(block.words))
  const elsewhere = blocks.filter((block) => /\bframework\b/.test(block.words)).length
  const checked = blocks.filter((block) => !/\b(?:no-check|framework)\b/.test(block.words))
  const chains: Block[][] = []
  for (const block of checked) {
    const last = chains.at(-1)
    if (last && /\bcontinue\b/.test(block.words)) last.push(block)
    else chains.push([block])
  }
  const snippets = chains.map((chain) => ({ page, line: chain[0]?.line ?? 1, code: place(chain) }))
  return { snippets, unchecked: blocks.length - checked.length - elsewhere, elsewhere }
}

/** The `@example` blocks of a source's doc comments: fenced, or plain up to the next tag. */
export function snippetsOfSource(page: string, text: string): Snippet[] {
  return [...text.matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap((comment) => {
    const first = text.slice(0, comment.index).split('\n').length
    const lines = comment[0]
      .split('\n')
      .map((line) => line.replace(/^\s*(\/\*\*|\*\/|\*) ?/, '').replace(/\*\/$/, ''))
    return examplesOf(lines, first).map((block) => ({ page, line: block.line, code: place([block]) }))
  })
}

function examplesOf(lines: readonly string[], first: number): Block[] {
  return lines.flatMap((line, index) => {
    if (!/^@example\b/.test(line)) return []
    const end = lines.findIndex((other, at) => at > index && /^@\w/.test(other))
    const body = lines.slice(index + 1, end < 0 ? undefined : end)
    const fenced = blocksOf(body).map((block) => ({ ...block, line: block.line + first + index }))
    if (fenced.length > 0) return fenced.filter((block) => !/\bno-check\b/.test(block.words))
    return [{ words: 'ts', line: first + index + 1, lines: body }]
  })
}

function blocksOf(lines: readonly string[]): Block[] {
  const blocks: Block[] = []
  let open: { words: string; line: number; fence: string; lines: string[] } | undefined
  lines.forEach((line, index) => {
    const fence = /^\s*(`{3,})\s*(.*)$/.exec(line)
    if (open && fence && fence[1] === open.fence && !fence[2]) {
      blocks.push(open)
      open = undefined
    } else if (open) {
      open.lines.push(line)
    } else if (fence) {
      open = { words: fence[2] ?? '', line: index + 2, fence: fence[1] ?? '', lines: [] }
    }
  })
  return blocks
}

function place(blocks: readonly Block[]): string {
  const code: string[] = []
  for (const { line, lines } of blocks) {
    while (code.length < line - 1) code.push('')
    code.push(...lines)
  }
  return `${code.join('\n')}\n`
}
