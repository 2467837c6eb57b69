/** Searches, as newcomers do, for words that other libraries use too. */
import { open, openTab } from './browser.mjs'

/** Each word with the pages of which one must be among the first five hits. */
const WORDS = {
  roles: /^\/(guide|recipes)\/.*roles/,
  OAuth: /^\/(recipes\/social-login|guide\/|source\/examples)/,
  'social login': /^\/(recipes\/social-login|guide\/login)/,
  Prisma: /^\/recipes\/prisma/,
  Drizzle: /^\/recipes\/drizzle/,
  jest: /^\/(recipes|guide)\/testing/,
  Docker: /^\/recipes\/docker/,
  SSE: /^\/recipes\/server-sent-events/,
  Next: /^\/(guide\/nextjs|start)/,
  proxy: /^\/(guide\/(forward-auth|login|nextjs)|recipes\/.*proxy)/,
  address: /^\/(guide\/(login|runtimes)|recipes\/.*address)/,
  CORS: /^\/(guide\/(login|cookies|client)|recipes\/.*cors)/,
  tRPC: /^\/(guide\/graphql-trpc|start)/,
  basePath: /^\/(reference\/|guide\/)/,
  usernameOf: /^\/(guide\/login|reference\/)/,
  delivery: /^\/(guide\/|reference\/|recipes\/)/,
  expiresAt: /^\/(guide\/client|reference\/)/,
  passkey: /^\/(guide\/|recipes\/|source\/examples)/,
  install: /^\/(start|getting-started|guide\/)/,
  cookies: /^\/guide\/cookies/,
  'step-up': /^\/guide\/step-up/,
  'magic links': /^\/recipes\/magic-links/,
  '2FA': /^\/recipes\/totp/,
  GraphQL: /^\/guide\/graphql-trpc/,
  WebSocket: /^\/guide\/websockets/,
  Lambda: /^\/recipes\/serverless/,
  Playwright: /^\/recipes\/testing/,
  monorepo: /^\/recipes\/monorepo/,
  Remix: /^\/guide\/full-stack/,
  migrate: /^\/(from-|recipes\/|sessions\/|reference\/|guide\/)/,
}

export async function searchAll(browser, origin) {
  const { page, problems, close } = await openTab(browser, origin)
  await open(page, `${origin}/overview`)
  await page.keyboard.press('Control+k')
  const box = page.locator('.VPLocalSearchBox input')
  await box.waitFor()
  for (const [word, wanted] of Object.entries(WORDS)) {
    const pages = await hitsOf(page, box, word)
    if (!pages.some((path) => wanted.test(path)))
      problems.push(`${word}: the first five are ${pages.join(', ') || 'none'}`)
  }
  await close()
  return problems
}

/** The pages of the first five hits. */
async function hitsOf(page, box, word) {
  // A word without hits between two others, so that the list is known to be that of the word.
  await box.fill('zzzzqqqq')
  await page.locator('.VPLocalSearchBox .no-results').waitFor()
  await box.fill(word)
  const hits = page.locator('.VPLocalSearchBox .result')
  const none = page.locator('.VPLocalSearchBox .no-results')
  await hits.first().or(none.getByText(word)).waitFor()
  const links = await hits.evaluateAll((all) => all.slice(0, 5).map(({ href }) => new URL(href).pathname))
  return links
}
