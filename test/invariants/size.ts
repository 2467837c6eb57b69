/** How much is run: a short form in `npm test`, the whole with `TOKENWRIGHT_PROVE=1`. What was run is printed. */

/** Whether the whole is run. */
export const PROVE: boolean = process.env['TOKENWRIGHT_PROVE'] === '1'

/** The short form's number, or the whole's. */
export function size(short: number, whole: number): number {
  return PROVE ? whole : short
}

/** Prints what was run. */
export function report(invariant: string, store: string, text: string): void {
  console.log(`${invariant} ${store}: ${text}`)
}

/** A summary of measured seconds, in milliseconds. */
export function summarize(seconds: readonly number[]): string {
  const sorted = [...seconds].sort((a, b) => a - b)
  const at = (share: number): string =>
    ((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0) * 1000).toFixed(0)
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`
}
