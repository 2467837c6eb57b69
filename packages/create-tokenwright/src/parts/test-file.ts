/** `test/app.test.ts` of a project: the requests are the same for every framework. */
import type { Choices } from '../choices.ts'
import type { FrameworkTest } from './part.ts'
import type { ProofTest } from './proofs.ts'

interface TestInput {
  readonly framework: FrameworkTest
  readonly proof: ProofTest
}

export function writeTest(delivery: Choices['delivery'], { framework, proof }: TestInput): string {
  const headers = delivery === 'cookie' ? 'cookies' : 'headers'
  const imports = [
    "import assert from 'node:assert/strict'",
    "import { randomBytes } from 'node:crypto'",
    ...(framework.node ?? []),
    `import { ${framework.setup.includes('after(') ? 'after, ' : ''}test } from 'node:test'`,
    ...(proof.imports ?? []),
    "import { memoryStore } from 'tokenwright/stores/memory'",
    "import { actingAs } from 'tokenwright/testing'",
    ...framework.imports,
    "import { createAuthentication } from '../src/auth.ts'",
  ]
  return `/** The routes, with sessions in memory. */
${imports.join('\n')}

process.env['TOKENWRIGHT_SECRET'] = randomBytes(32).toString('base64url')
${proof.before ?? ''}const authentication = createAuthentication(memoryStore()${proof.argument ?? ''})
${framework.setup}
function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  const sent = { 'content-type': 'application/json', origin: url, ...headers }
  return open(path, { method: 'POST', headers: sent, body: JSON.stringify(body) })
}

${TOKENS[delivery]}${proof.helper === undefined ? '' : `\n${proof.helper}`}
test('a login opens the protected route', async () => {
  const login = await post('/auth/login', ${proof.login})
  const me = await open('/me', { headers: await tokensOf(login) })
  assert.deepEqual(await me.json(), { sub: 'user-1' })
})

test('a stranger is refused', async () => {
  assert.equal((await open('/me', {})).status, 401)
  assert.equal((await post('/auth/login', { username: 'test', password: 'x' })).status, 401)
})

test('a sensitive route asks for a step-up', async () => {
  const user = actingAs(authentication.auth, 'user-1', ${proof.tooWeak})
  const refused = await post('/change-email', {}, await user.${headers}())
  assert.match(await refused.text(), /fresh_token_required/)

  const tokens = await tokensOf(await post('/auth/login', ${proof.login}))
  const stepUp = await post('/auth/step-up', ${proof.stepUp}, tokens)
  const changed = await post('/change-email', {}, await tokensOf(stepUp))
  assert.equal(changed.status, 200)
})
`
}

const TOKENS: Readonly<Record<Choices['delivery'], string>> = {
  body: `/** The headers of a client that got this response. */
async function tokensOf(response: Response): Promise<Record<string, string>> {
  assert.equal(response.status, 200)
  const { access_token } = (await response.json()) as { access_token: string }
  return { authorization: \`Bearer \${access_token}\` }
}
`,
  cookie: `/** The headers of a browser that got this response. */
async function tokensOf(response: Response): Promise<Record<string, string>> {
  assert.equal(response.status, 200)
  const { csrf_token } = (await response.json()) as { csrf_token: string }
  const cookies = response.headers.getSetCookie().map((line) => line.split(';')[0])
  return { cookie: cookies.join('; '), 'x-csrf-token': csrf_token }
}
`,
}
