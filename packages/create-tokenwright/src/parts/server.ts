/** A project whose framework listens by itself, run by tsx. */
import type { FrameworkPart, Package } from './part.ts'

/** What differs between such frameworks. */
export interface Server {
  readonly dependencies: readonly Package[]
  readonly devDependencies?: readonly Package[]
  /** `src/app.ts`, without its first line. */
  readonly app: string
  /** What `src/server.ts` and the test import, beside the project's files. */
  readonly imports?: string
  /** Lets `app` listen on `port`. */
  readonly listen: string
  /** Makes a `server` of `authentication`, for the test. */
  readonly test: string
}

export const APP_OPENING = '/** The routes of the application. */\n'
/** Says where the server listens. */
export const LOG = `console.log(\`http://localhost:\${port}\`)`
export const SERVER_README = [
  '`src/app.ts`: the routes of the application',
  '`src/server.ts`: opens the store and listens',
]
export const SERVER_IMPORTS = `import { createApp } from './app.ts'
import { createAuthentication } from './auth.ts'
import { openStore } from './store.ts'
`

/** Test code that reaches a `server` of Node's. */
export const OPEN = `const url = \`http://localhost:\${(server.address() as AddressInfo).port}\`
after(() => server.close())

const open = (path: string, init: RequestInit): Promise<Response> => fetch(url + path, init)
`
export const ADDRESS_INFO = "import type { AddressInfo } from 'node:net'"

export function serverPart({ app, imports, listen, test, ...packages }: Server): FrameworkPart {
  const listens = !test.includes('await')
  const first = imports === undefined ? '' : `${imports}\n`
  return {
    dependencies: packages.dependencies,
    devDependencies: [...(packages.devDependencies ?? []), 'tsx'],
    scripts: {
      dev: 'tsx watch --env-file=.env src/server.ts',
      start: 'tsx --env-file=.env src/server.ts',
      test: 'tsx --test test/app.test.ts',
      typecheck: 'tsc',
    },
    start: 'start',
    compilerOptions: {
      noEmit: true,
      allowImportingTsExtensions: true,
      erasableSyntaxOnly: true,
      verbatimModuleSyntax: true,
    },
    readme: SERVER_README,
    files: {
      'src/app.ts': `${APP_OPENING}${app}`,
      'src/server.ts': `/** Opens the store and listens. */
${first}${SERVER_IMPORTS}
const app = createApp(createAuthentication(await openStore()))
const port = Number(process.env['PORT'] ?? 3000)
${listen}
`,
    },
    test: {
      node: [...(listens ? ["import { once } from 'node:events'"] : []), ADDRESS_INFO],
      imports: [...(imports === undefined ? [] : [imports]), "import { createApp } from '../src/app.ts'"],
      setup: `${test}\n${listens ? "await once(server, 'listening')\n" : ''}${OPEN}`,
    },
  }
}
