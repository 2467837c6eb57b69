/** Nodes of an application: child processes of the built library over one store, asked over IPC. */
import { type ChildProcess, fork } from 'node:child_process'
import type { Answer, Commands, NodeSpec } from './node/messages.ts'

/** A node, as the test speaks to it. */
export interface Node {
  readonly child: ChildProcess
  /** Where its routes are. */
  readonly url: string
  /** Asks it; rejects when it dies before it answers. */
  ask<K extends keyof Commands>(
    command: K,
    ...args: Parameters<Commands[K]>
  ): Promise<ReturnType<Commands[K]>>
  /** Ends it by SIGKILL. */
  kill(): Promise<void>
}

const MAIN = new URL('../../dist/test/processes/node/main.js', import.meta.url).pathname

/** Starts a node and waits until it listens. */
export async function startNode(spec: NodeSpec): Promise<Node> {
  const env = { ...process.env, TOKENWRIGHT_NODE: JSON.stringify(spec) }
  const child = fork(MAIN, [], { env, execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const open = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let last = 0
  const expectAnswer = <T>(id: number): Promise<T> =>
    new Promise<T>((resolve, reject) => open.set(id, { resolve: resolve as never, reject }))
  child.on('message', ({ id, value, error }: Answer) => {
    const waiting = open.get(id)
    open.delete(id)
    if (error === undefined) waiting?.resolve(value as never)
    else waiting?.reject(new Error(error))
  })
  void ended.then(() => {
    for (const { reject } of open.values()) reject(new Error('The node has died'))
  })
  const url = await expectAnswer<string>(0)
  return {
    child,
    url,
    ask(command, ...args) {
      last += 1
      const answered = expectAnswer<never>(last)
      const id = last
      child.send({ id, command, args }, (error) => {
        if (error !== null) open.get(id)?.reject(error)
      })
      return answered
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
