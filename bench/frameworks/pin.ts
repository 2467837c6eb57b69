/**
 * Processes that stay on one processor each: a process that wanders, or shares a core with the
 * load, costs up to a fifth more for as long as it does, which is more than what is measured. Needs
 * Linux's `taskset`; elsewhere the figures are rougher.
 */
import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'

/** The processors of the load and of the applications. */
const PROCESSORS = { load: 0, application: cpus().length - 1 } as const

/**
 * Keeps all threads of a process on the processor of its part; returns whether that could be done.
 */
export function pin(pid: number, part: keyof typeof PROCESSORS): boolean {
  return spawnSync('taskset', ['-acp', String(PROCESSORS[part]), String(pid)]).status === 0
}
