/** Starts processes that share one SQLite file, and talks to them. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const WORKER = fileURLToPath(new URL('sql-worker.mjs', import.meta.url))

/** A process that carries out commands of `sql-worker.mjs`. */
export interface Worker {
  readonly child: ChildProcess
  tell<T>(name: string, values?: unknown): Promise<T>
  close(): void
}

async function startWorker(path: string): Promise<Worker> {
  const child = fork(WORKER, [path], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  await once(child, 'message')
  let last = 0
  return {
    child,
    tell<T>(name: string, values: unknown = {}) {
      const id = ++last
      return new Promise<T>((resolve, reject) => {
        const hear = (answer: { id: number; result?: T; error?: string }): void => {
          if (answer.id !== id) return
          child.off('message', hear)
          if (answer.error === undefined) resolve(answer.result as T)
          else reject(new Error(answer.error))
        }
        child.on('message', hear)
        child.send({ id, name, values })
      })
    },
    close: () => child.disconnect(),
  }
}

export function startWorkers(many: number, path: string): Promise<Worker[]> {
  return Promise.all(Array.from({ length: many }, () => startWorker(path)))
}
