/** An authenticator for passkeys in Chromium, by its debugging protocol. It verifies its user. */
import type { Page } from 'playwright-core'

/** Adds one to a page. */
export async function addAuthenticator(page: Page): Promise<{ clear(): Promise<unknown> }> {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('WebAuthn.enable')
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  return { clear: () => cdp.send('WebAuthn.clearCredentials', { authenticatorId }) }
}
