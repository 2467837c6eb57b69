/** The front page: the only one whose text is the site's own. */

const HEAD = {
  layout: 'home',
  title: 'Tokenwright',
  titleTemplate: 'Token authentication for TypeScript servers',
  hero: {
    name: 'Tokenwright',
    text: 'Everything that happens to a token',
    tagline:
      'Access, refresh and fresh tokens, step-up, sessions, revocation, cookies with CSRF protection. ' +
      'For Express, Fastify, Hono, Koa, Nest, Next and plain fetch, with no dependencies.',
    actions: [
      { theme: 'brand', text: 'Start in five minutes', link: '/getting-started' },
      { theme: 'alt', text: 'Start on your framework', link: '/start' },
      { theme: 'alt', text: 'All pages', link: '/overview' },
    ],
  },
}

const BODY = `
## The story of a token

<TokenStory />

## Install

\`\`\`sh
npm install tokenwright
\`\`\`

Then [protect a route](/getting-started), or come from
[AuthX, FastJWT or flask-jwt-extended](/from-python) or from
[a JavaScript library](/from-javascript).
`

/** The page as Markdown; its head is JSON, which is YAML too. */
export const frontPage = `---\n${JSON.stringify(HEAD, null, 2)}\n---\n${BODY}`
