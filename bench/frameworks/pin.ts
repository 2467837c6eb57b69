/**
 * Pins processes to processors. A process that moves, or that shares a core with the load, costs up
 * to a fifth more, which is more than the differences to measure. Needs `taskset` of Linux;
 * elsewhere the figures are less exact.
 */
import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'

/** The processors of the load and of the applications. */
const PROCESSORS = { load: 0, application: cpus().length - 1 } as const

/** Pins all threads of a process to the processor of its part. Returns whether that worked. */
export function pin(pid: number, part: keyof typeof PROCESSORS): boolean {
  return spawnSync('taskset', ['-acp', String(PROCESSORS[part]), String(pid)]).status === 0
}
