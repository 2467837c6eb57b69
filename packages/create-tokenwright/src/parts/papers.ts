/** `package.json`, `tsconfig.json` and `README.md` of a project. */
import { type Choices, NAMES } from '../choices.ts'
import { type FrameworkPart, type Part, VERSIONS } from './part.ts'
import type { ProofPart } from './proofs.ts'

interface ManifestInput {
  readonly parts: readonly Part[]
  readonly scripts: Readonly<Record<string, string>>
  /** That of tokenwright. */
  readonly version: string
}

export function writeManifest(name: string, { parts, scripts, version }: ManifestInput): string {
  const dependencies = parts.flatMap((part) => part.dependencies ?? [])
  const development = parts.flatMap((part) => part.devDependencies ?? [])
  return toJson({
    name,
    version: '0.0.0',
    private: true,
    type: 'module',
    engines: { node: '>=20.19' },
    scripts,
    dependencies: sorted({ ...versionsOf(dependencies), tokenwright: `^${version}` }),
    devDependencies: sorted(versionsOf([...development, '@types/node', 'typescript'])),
  })
}

function versionsOf(names: readonly (keyof typeof VERSIONS)[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, VERSIONS[name]]))
}

function sorted(versions: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(versions).sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function writeTsconfig({ compilerOptions, typeFolders = [] }: FrameworkPart): string {
  return toJson({
    compilerOptions: {
      target: 'es2023',
      module: 'nodenext',
      types: ['node'],
      strict: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      ...compilerOptions,
    },
    include: ['src', 'test', ...typeFolders],
    exclude: ['node_modules'],
  })
}

function toJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

interface ReadmeInput {
  readonly framework: FrameworkPart
  readonly proof: ProofPart
}

export function writeReadme(name: string, choices: Choices, { framework, proof }: ReadmeInput): string {
  const { delivery, store } = choices
  const start = framework.start === 'start' ? 'npm start' : `npm run ${framework.start}`
  const flags = NAMES.map((question) => `--${question} ${choices[question]}`)
  const production = [
    ...proof.readme.production,
    ...(store === 'memory' ? ['`src/store.ts`: sessions in memory end with the process.'] : []),
    'A secret of its own in `TOKENWRIGHT_SECRET`, from where you keep secrets; `.env` stays here.',
    '`NODE_ENV=production`: then there is no user to try it with.',
  ]
  return `# ${name}

Written by \`npm create tokenwright\` with
\`${flags.join(' ')}\`.

\`\`\`sh
npm install
npm test
${start}
\`\`\`
${NEEDS[store]}
## Try it

${proof.readme.before === undefined ? '' : `${proof.readme.before}\n`}\`\`\`sh
${REQUESTS[delivery](proof.readme)}
\`\`\`

A login is fresh for 15 minutes, and a refresh never is. \`/change-email\` needs a fresh
token${choices.proofs === 'password+totp' ? ' and a code' : ''}; else the response is
401 \`fresh_token_required\`, and \`/auth/step-up\` with a proof gives new tokens.

## What is where

${[
  '`src/auth.ts`: tokens, sessions, and the routes below `/auth`',
  '`src/users.ts`: the users',
  ...(proof.files?.['src/mail.ts'] === undefined ? [] : ['`src/mail.ts`: sends mails']),
  '`src/store.ts`: where sessions are kept',
  ...framework.readme,
  '`test/app.test.ts`: login, refusal and step-up, with sessions in memory',
]
  .map((line) => `- ${line}`)
  .join('\n')}

## Before real users come

${production.map((line) => `- ${line}`).join('\n')}
`
}

const NEEDS: Readonly<Record<Choices['store'], string>> = {
  memory: '',
  sqlite: '',
  postgres: '\nThe server is at `DATABASE_URL` in `.env`; the tests need none.\n',
  redis: '\nThe server is at `REDIS_URL` in `.env`; the tests need none.\n',
}

const JSON_HEADER = "-H 'content-type: application/json'"

/** The requests of a client, by the delivery of its tokens. */
const REQUESTS: Readonly<Record<Choices['delivery'], (bodies: ProofPart['readme']) => string>> = {
  body: ({ login, stepUp }) => `curl -s localhost:3000/auth/login ${JSON_HEADER} -d '${login}'
# with the access_token of the response:
curl -s localhost:3000/me -H "authorization: Bearer $ACCESS_TOKEN"
curl -s localhost:3000/auth/step-up -H "authorization: Bearer $ACCESS_TOKEN" ${JSON_HEADER} -d '${stepUp}'
curl -s -X POST localhost:3000/change-email -H "authorization: Bearer $FRESH_TOKEN"`,
  cookie: ({
    login,
    stepUp,
  }) => `alias page='curl -s -b cookies -c cookies -H "origin: http://localhost:3000"'
page localhost:3000/auth/login ${JSON_HEADER} -d '${login}'
page localhost:3000/me
# with the csrf_token of the last response:
page localhost:3000/auth/step-up -H "x-csrf-token: $CSRF_TOKEN" ${JSON_HEADER} -d '${stepUp}'
page -X POST localhost:3000/change-email -H "x-csrf-token: $CSRF_TOKEN"`,
}
