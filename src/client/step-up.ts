/**
 * One step-up dialog for all calls that are under way together, even when the user is quicker than
 * the last refusal.
 */
import { heed } from './call-request.ts'
import { AuthClientError, type Challenge, toSignedOut } from './client-error.ts'
import type { ClientContext } from './context.ts'
import { on, raise } from './events.ts'

/**
 * Opens the dialog, or joins the open one. Joins the last one, too, if it closed after `seen` was
 * read. The dialog closes when the signals of all that wait for it are aborted.
 *
 * @param seen how many dialogs had closed when the request was sent
 */
export async function prove(
  client: ClientContext,
  challenge: Challenge,
  seen: number,
  signal: AbortSignal | null,
): Promise<void> {
  if (!client.waiting && seen === client.closed) client.dialog = ask(client, challenge)
  client.waiting++
  try {
    await heed(signal, client.dialog as Promise<void>)
  } finally {
    if (!--client.waiting) client.dismiss?.()
  }
}

async function ask(client: ClientContext, challenge: Challenge): Promise<void> {
  const controller = new AbortController()
  const request = { ...challenge, signal: controller.signal }
  let leave: (() => void) | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      const cancel = (cause?: unknown): void =>
        reject(new AuthClientError('step_up_cancelled', { status: 401, challenge, cause }))
      client.dismiss = cancel
      // Fresh tokens close the dialog, also those of another tab. So does a sign-out.
      leave = on(client, 'change', () =>
        client.state.fresh ? resolve() : client.tokens || reject(toSignedOut()),
      )
      raise(client, 'step-up', request)
      const run = async (): Promise<unknown> => client.onStepUp?.(request)
      run().then((done) => (done === false ? cancel() : resolve()), cancel)
    })
  } finally {
    leave?.()
    controller.abort()
    client.closed++
  }
}
