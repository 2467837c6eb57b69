/** What a part of a project is. A project is one part for each choice, put together. */

export interface Part {
  readonly dependencies?: readonly Package[]
  readonly devDependencies?: readonly Package[]
  /** The content by path. */
  readonly files?: Readonly<Record<string, string>>
  /** Lines of `.env`, beside the secret. */
  readonly env?: readonly string[]
}

export interface FrameworkPart extends Part {
  readonly scripts: Readonly<Record<string, string>>
  /** The script that serves on this machine. */
  readonly start: string
  readonly compilerOptions: Readonly<Record<string, unknown>>
  /** What `tsconfig.json` includes beside `src` and `test`. */
  readonly typeFolders?: readonly string[]
  /** Lines of `.gitignore`, beside the usual ones. */
  readonly ignored?: readonly string[]
  readonly test: FrameworkTest
  /** The files that the README lists, beside those of every project. */
  readonly readme: readonly string[]
}

/** Code of the test. */
export interface FrameworkTest {
  /** Modules that `node:` names, and then all others. */
  readonly node?: readonly string[]
  readonly imports: readonly string[]
  /** Makes the application of `authentication`, and the function `open`. */
  readonly setup: string
}

/** The versions that projects get; `npm run check:create -- --all` installs all of them. */
export const VERSIONS = {
  '@hono/node-server': '^2.1.8',
  '@koa/router': '^15.7.0',
  '@nestjs/common': '^12.5.1',
  '@nestjs/core': '^12.5.1',
  '@nestjs/platform-express': '^12.5.1',
  '@node-rs/argon2': '^2.2.1',
  '@photostructure/sqlite': '^1.2.1',
  '@types/express': '^5.0.6',
  '@types/koa': '^3.0.3',
  '@types/node': '^20.19.43',
  '@types/pg': '^8.23.1',
  '@types/react': '^19.3.0',
  express: '^5.3.0',
  fastify: '^5.12.8',
  hono: '^4.13.19',
  koa: '^3.3.0',
  kysely: '^0.28.18',
  next: '^16.4.6',
  otpauth: '^9.5.2',
  pg: '^8.23.1',
  react: '^19.3.1',
  'react-dom': '^19.3.1',
  redis: '^6.3.1',
  'reflect-metadata': '^0.2.2',
  rxjs: '^7.8.2',
  tsx: '^4.23.15',
  typescript: '^7.0.2',
} as const

export type Package = keyof typeof VERSIONS
