/*
 * What the demos share: their two sides, each with a state and what it did last, a button, and a
 * pause between the steps.
 */

import { find, findIn, write } from './element.ts'

type Tone = 'good' | 'warn' | 'bad' | 'idle'

/** One of the two sides of a demo. */
export interface Side {
  readonly root: Element
  /** Shows its state as a badge. */
  state(text: string, tone: Tone): void
  /** Shows what it did last. */
  say(text: string): void
}

/** Finds the sides of a demo. */
export function findSides(id: string): readonly Side[] {
  return [...find(id, HTMLElement).children].map((root) => {
    const badge = findIn(root, '.badge')
    const said = findIn(root, '.side-said')
    return {
      root,
      state(text, tone) {
        write(badge, text)
        badge.dataset['tone'] = tone
        root.setAttribute('data-tone', tone)
      },
      say: (text) => write(said, text),
    }
  })
}

/** Runs a demo by its button, which rests meanwhile. */
export function connectPlay(button: HTMLButtonElement, again: string, play: () => Promise<void>): void {
  let isRunning = false
  button.addEventListener('click', () => {
    if (isRunning) return
    isRunning = true
    button.setAttribute('aria-disabled', 'true')
    void play().finally(() => {
      isRunning = false
      button.removeAttribute('aria-disabled')
      write(button, again)
    })
  })
}

/** Waits, in seconds. */
export function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, seconds * 1000)
  })
}
