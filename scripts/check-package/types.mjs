// Checks that the types compile: with three versions of TypeScript and of @types/node, with each
// usual module setting, and with `skipLibCheck` off. Only errors in our files count.
import { join } from 'node:path'
import { count, prepareProject, run, write } from './project.mjs'

const COMPILERS = { 5.4: 'typescript-5.4', 5.9: 'typescript-5.9', 7: 'typescript-7' }
const TYPESCRIPT = {
  'typescript-5.4': 'npm:typescript@5.4.5',
  'typescript-5.9': 'npm:typescript@5.9.3',
  'typescript-7': 'npm:typescript@7.0.2',
}
const NODE_TYPES = { 20: '20.19.43', 22: '22.19.0', latest: '26.6.7' }
const FRAMEWORKS = {
  '@nestjs/common': '11.2.10',
  '@types/express': '5.0.6',
  '@types/koa': '3.0.3',
  '@types/react': '19.3.0',
  '@types/ws': '8.18.2',
  express: '5.3.0',
  fastify: '5.12.8',
  hono: '4.13.19',
  ioredis: '6.0.0',
  koa: '3.3.0',
  kysely: '0.28.18',
  react: '19.3.1',
  redis: '6.3.1',
  'reflect-metadata': '0.2.2',
  rxjs: '7.8.2',
  ws: '8.23.0',
}
/** The entry points that need no framework. */
const PLAIN = [
  '',
  '/routes',
  '/client',
  '/fetch',
  '/next',
  '/node',
  '/forward-auth',
  '/mcp',
  '/otel',
  '/stores/memory',
  '/stores/contract',
  '/stores/move',
  '/testing',
]

/** The module settings: their compiler options, file, and the compilers without them. */
const MODULES = [
  { title: 'NodeNext, ESM', flags: ['--module', 'nodenext'], file: 'esm.mts' },
  { title: 'NodeNext, CommonJS', flags: ['--module', 'nodenext'], file: 'cjs.cts' },
  { title: 'Node16, CommonJS', flags: ['--module', 'node16'], file: 'cjs.cts' },
  { title: 'Node20, ESM', flags: ['--module', 'node20'], file: 'esm.mts', not: ['5.4'] },
  { title: 'Bundler', flags: ['--module', 'esnext', '--moduleResolution', 'bundler'], file: 'plain.ts' },
  {
    title: 'CommonJS, node10',
    flags: ['--module', 'commonjs', '--moduleResolution', 'node10', '--esModuleInterop'],
    file: 'plain.ts',
    not: ['7'],
  },
  {
    title: 'CommonJS, Bundler',
    flags: ['--module', 'commonjs', '--moduleResolution', 'bundler'],
    file: 'plain.ts',
    not: ['5.4', '5.9'],
  },
]

const toProgram = (entryPoints) => `${entryPoints
  .map((name, index) => `import * as part${index} from 'tokenwright${name}'`)
  .join('\n')}
import { createAuth, createKeyRing, type Auth, type Jwk, type StandardSchema, type TokenPayload } from 'tokenwright'
const jwk: Jwk = { kty: 'oct', k: 'c2VjcmV0' }
const auth: Auth = createAuth({ keys: createKeyRing({ signing: { alg: 'HS256', key: jwk } }) })
export const subject = async (token: string): Promise<string> => {
  const payload: TokenPayload = await auth.verifyToken(token)
  return payload.sub
}
const tenant = createAuth({ claims: {} as StandardSchema<{ tenant: string }> })
export const issued = [
  auth.createAccessToken('u'),
  tenant.createAccessToken('u', { data: { tenant: 't' } }),
  // @ts-expect-error the schema requires data
  tenant.createAccessToken('u'),
]
export const parts = [${entryPoints.map((_, index) => `part${index}`).join(', ')}]
`

function compile(folder, compiler, { title, flags, file }, { skipLibCheck, what }) {
  const strict = [
    '--noEmit',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--target',
    'es2022',
    '--types',
    'node',
  ]
  const args = [join(folder, 'node_modules', COMPILERS[compiler], 'bin/tsc'), ...strict, ...flags]
  const full = [...args, '--skipLibCheck', String(skipLibCheck), file]
  const { isRight, output } = run(folder, process.execPath, full)
  const ours = output
    .split('\n')
    .filter((line) => /^(node_modules\/tokenwright\/|\w+\.[mc]?ts|error)/.test(line))
  count(`TypeScript ${compiler}, ${title}, ${what}`, isRight || ours.length === 0, ours.join('\n') || output)
}

export function checkTypes(tarball, entryPoints) {
  for (const [line, version] of Object.entries(NODE_TYPES)) {
    const folder = prepareProject(`types-node-${line}`, { '@types/node': version, ...TYPESCRIPT }, tarball)
    const program = toProgram(PLAIN)
    write(folder, { 'esm.mts': program, 'cjs.cts': program, 'plain.ts': program })
    for (const compiler of Object.keys(COMPILERS)) {
      const modules = MODULES.filter(({ not = [] }) => !not.includes(compiler))
      // Each setting with one version of @types/node, and only the usual one with the others.
      for (const module of line === '22' ? modules : modules.slice(0, 1))
        compile(folder, compiler, module, { skipLibCheck: false, what: `@types/node ${line}` })
    }
  }
  const dependencies = { '@types/node': NODE_TYPES[22], ...TYPESCRIPT, ...FRAMEWORKS }
  const folder = prepareProject('types-frameworks', dependencies, tarball)
  const program = toProgram(entryPoints.map((name) => name.replace('tokenwright', '')))
  write(folder, { 'esm.mts': program, 'cjs.cts': program, 'plain.ts': program })
  for (const compiler of Object.keys(COMPILERS)) {
    for (const skipLibCheck of [false, true])
      compile(folder, compiler, MODULES[0], {
        skipLibCheck,
        what: `every entry point, skipLibCheck ${skipLibCheck}`,
      })
  }
}
