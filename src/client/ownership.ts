/**
 * Whose session it is: another page, a form or another program may have changed the cookies, the
 * storage or the server's mind without a message. Looks again, and takes over what it finds.
 */
import type { ClientContext } from './context.ts'
import { left, setTokens, toLoginId } from './session-state.ts'
import { writeStored } from './storage.ts'
import { toId } from './tabs.ts'
import { askOwner, readOwnCookies } from './transport.ts'

/**
 * Compares the readable cookies with the tokens. The first refresh tells the rest, before anything
 * is sent in another name; the server is asked once for the same cookies.
 */
export function checkCookies(
  client: ClientContext,
  values: readonly string[] = readOwnCookies(client),
): void {
  const { tokens } = client
  const text = values.join()
  const isKnown = tokens && (!tokens.csrf || values.includes(tokens.csrf))
  if (!text || text === client.seen || isKnown) return
  client.seen = text
  // With several values only the server knows which is its own.
  const csrf = values[1] ? undefined : text
  setTokens(client, { csrf, life: 0, fresh: false, login: toLoginId(csrf) ?? '', ...tokens, expiresAt: 0 })
}

/**
 * Asks the server whose session it is. Its response ends none: that takes a refused refresh.
 *
 * @returns whether the session seems to be over
 */
export async function isOver(client: ClientContext): Promise<boolean | undefined> {
  const { tokens } = client
  if (!client.byCookie && (!tokens?.access || left(client, tokens) <= 0)) return undefined
  client.askedAt = client.now()
  const owner = await askOwner(client)
  const { active, csrf_token: csrf = owner.session_id, expires_in: life = 0, fresh = false } = owner
  if (client.tokens !== tokens) return undefined
  if (active === false) {
    if (tokens) return true
    setTokens(client, null)
  }
  if (
    active === true &&
    client.byCookie &&
    (csrf !== tokens?.csrf || !tokens?.life || (fresh && !tokens.fresh))
  ) {
    const found = { csrf, expiresAt: client.now() + life, life, fresh, login: toLoginId(csrf) ?? toId() }
    await writeStored(client, found)
    setTokens(client, found)
  }
  return undefined
}
