/** A project with Next.js and its App Router. */
import type { Choices } from '../choices.ts'
import type { FrameworkPart } from './part.ts'

export function nextPart({ store, delivery }: Choices, guard: string): FrameworkPart {
  return {
    dependencies: ['next', 'react', 'react-dom'],
    devDependencies: ['@types/react', 'tsx'],
    scripts: {
      dev: 'next dev',
      build: 'next build',
      start: 'next start',
      test: 'tsx --test test/app.test.ts',
      typecheck: 'tsc',
    },
    start: 'dev',
    compilerOptions: {
      noEmit: true,
      allowImportingTsExtensions: true,
      module: 'esnext',
      moduleResolution: 'bundler',
      lib: ['dom', 'dom.iterable', 'es2023'],
      jsx: 'react-jsx',
      isolatedModules: true,
      // These Next.js would enter itself, and so it would the folders.
      allowJs: true,
      esModuleInterop: true,
      incremental: true,
      resolveJsonModule: true,
      plugins: [{ name: 'next' }],
    },
    typeFolders: ['.next/types/**/*.ts', '.next/dev/types/**/*.ts'],
    ignored: ['.next/', 'next-env.d.ts', '*.tsbuildinfo'],
    readme: [
      '`src/guard.ts`: the guards, and what the copies of this module share',
      '`src/instrumentation.ts`: opens the store when the server starts',
      `\`src/app/\`: the routes${delivery === 'cookie' ? ', and a page' : ''}`,
      ...(delivery === 'cookie' ? ['`src/proxy.ts`: refreshes tokens before a page is rendered'] : []),
    ],
    files: {
      'next.config.ts': nextConfig(store),
      'src/guard.ts': GUARD,
      'src/instrumentation.ts': INSTRUMENTATION,
      'src/app/auth/[...path]/route.ts': `import { routeHandlers } from 'tokenwright/next'
import { findAuthentication } from '../../../guard.ts'

export const { GET, POST, DELETE } = routeHandlers(() => findAuthentication().routes)
`,
      'src/app/me/route.ts': `import { guard } from '../../guard.ts'

export const GET = guard.access()((_request, { sub }) => Response.json({ sub }))
`,
      'src/app/change-email/route.ts': `import { guard } from '../../guard.ts'

export const POST = ${guard}(() => Response.json({ message: 'Changed' }))
`,
      ...(delivery === 'cookie' ? PAGES : {}),
    },
    test: {
      imports: [
        "import * as authRoute from '../src/app/auth/[...path]/route.ts'",
        "import * as changeEmail from '../src/app/change-email/route.ts'",
        "import * as me from '../src/app/me/route.ts'",
        "import { provide } from '../src/guard.ts'",
      ],
      setup: `provide(authentication)
const url = 'http://localhost:3000'

/** Calls the handler of a route, as Next.js would. */
async function open(path: string, init: RequestInit): Promise<Response> {
  const request = new Request(url + path, init)
  if (path === '/me') return me.GET(request)
  return path === '/change-email' ? changeEmail.POST(request) : authRoute.POST(request)
}
`,
    },
  }
}

/**
 * Packages that stay outside of the bundle: native ones, and Kysely, whose dialect is known by the
 * names of its classes, which a bundle shortens.
 */
const EXTERNAL: Readonly<Record<Choices['store'], readonly string[]>> = {
  memory: [],
  sqlite: ['@photostructure/sqlite', 'kysely'],
  postgres: ['kysely', 'pg'],
  redis: [],
}

function nextConfig(store: Choices['store']): string {
  const names = EXTERNAL[store].map((name) => `'${name}'`).join(', ')
  const external = names === '' ? '' : `\n  serverExternalPackages: [${names}],\n`
  return `import type { NextConfig } from 'next'

export default {${external}} satisfies NextConfig
`
}

const GUARD = `/** The guards, and the one \`Authentication\` of the process. */
import { guards, lazyAuth } from 'tokenwright/next'
import type { Authentication } from './auth.ts'

/** Next.js loads this module several times in one process: what these share is on \`globalThis\`. */
const shared: { authentication?: Authentication } = globalThis as object

export function provide(authentication: Authentication): void {
  shared.authentication = authentication
}

export function findAuthentication(): Authentication {
  if (shared.authentication === undefined) throw new Error('src/instrumentation.ts did not run')
  return shared.authentication
}

export const guard = guards(lazyAuth(() => findAuthentication().auth))
`

const INSTRUMENTATION = `/** Next.js calls this once, when the server starts. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return
  const { createAuthentication } = await import('./auth.ts')
  const { provide } = await import('./guard.ts')
  const { openStore } = await import('./store.ts')
  provide(createAuthentication(await openStore()))
}
`

const PAGES = {
  'src/proxy.ts': `/** Refreshes tokens that expire, as a page cannot set cookies. */
import { guard } from './guard.ts'

export const proxy = guard.proxy()
export const config = { matcher: ['/((?!_next/|auth/).*)'] }
`,
  'src/app/layout.tsx': `import type { ReactNode } from 'react'

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
`,
  'src/app/page.tsx': `import { cookies } from 'next/headers'
import { guard } from '../guard.ts'

export default async function Page() {
  const visitor = await guard.currentToken(cookies())
  return <p>{visitor === null ? 'Signed out' : \`Signed in as \${visitor.sub}\`}</p>
}
`,
}
