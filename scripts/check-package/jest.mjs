// Checks the package in Jest 29 and 30: CommonJS by ts-jest, as `nest new` configures it, and ES
// modules.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { check, prepareProject, ROOT, write } from './project.mjs'

const NODES = { 22: 'node22', 24: 'node24' }
const VERSIONS = {
  29: { jest: '29.7.0', '@types/jest': '29.5.14' },
  30: { jest: '30.5.2', '@types/jest': '30.0.0' },
}
const COMMON = {
  '@nestjs/common': '11.2.10',
  '@types/node': '22.19.0',
  'reflect-metadata': '0.2.2',
  rxjs: '7.8.2',
  'ts-jest': '29.4.15',
  typescript: '5.9.3',
}

const BODY = `
const secret = randomBytes(32).toString('hex')
describe('tokenwright', () => {
  it('signs, verifies and refuses', async () => {
    const auth = createAuth({ secret, sessions: { store: memoryStore() } })
    const pair = await auth.createTokenPair('alice')
    expect((await auth.verifyToken(pair.access_token)).sub).toBe('alice')
    const refused: unknown = await auth.verifyToken('x').catch((error: unknown) => error)
    expect(isAuthError(refused)).toBe(true)
    expect(refused).toBeInstanceOf(AuthError)
    expect(guards(auth).access).toBeDefined()
    await auth.close()
  })
})
`
const TYPESCRIPT = `import { randomBytes } from 'node:crypto'
import { AuthError, createAuth, isAuthError } from 'tokenwright'
import { guards } from 'tokenwright/nest'
import { memoryStore } from 'tokenwright/stores/memory'
${BODY}`
const MODULE = TYPESCRIPT.replaceAll(': unknown', '').replace("'tokenwright/nest'", "'tokenwright/fetch'")

export function checkJest(tarball) {
  for (const [version, packages] of Object.entries(VERSIONS)) {
    const folder = prepareProject(`jest-${version}`, { ...COMMON, ...packages }, tarball)
    write(folder, {
      'commonjs/jest.config.json': {
        moduleFileExtensions: ['js', 'json', 'ts'],
        testRegex: '.*\\.spec\\.ts$',
        transform: { '^.+\\.(t|j)s$': 'ts-jest' },
        testEnvironment: 'node',
      },
      'commonjs/tsconfig.json': {
        compilerOptions: {
          module: 'nodenext',
          moduleResolution: 'nodenext',
          esModuleInterop: true,
          emitDecoratorMetadata: true,
          experimentalDecorators: true,
          target: 'ES2023',
          isolatedModules: true,
        },
      },
      'commonjs/package.json': { name: 'commonjs', private: true },
      'commonjs/app.spec.ts': TYPESCRIPT,
      'modules/jest.config.json': { testMatch: ['**/*.test.js'], transform: {}, testEnvironment: 'node' },
      'modules/package.json': { name: 'modules', private: true, type: 'module' },
      'modules/app.test.js': MODULE,
    })
    const jest = join(folder, 'node_modules/jest/bin/jest.js')
    for (const [line, program] of nodes()) {
      const title = `Jest ${version} on Node ${line}`
      check(`${title}, CommonJS by ts-jest`, join(folder, 'commonjs'), [program, jest, '--no-cache'])
      const flags = ['--experimental-vm-modules', '--no-warnings', jest]
      check(`${title}, ES modules`, join(folder, 'modules'), [program, ...flags])
    }
  }
}

/** This Node, and the versions that test/runtimes has installed. */
function nodes() {
  const others = Object.entries(NODES)
    .map(([line, name]) => [line, join(ROOT, 'test/runtimes/node_modules', name, 'bin/node')])
    .filter(([, program]) => existsSync(program))
  return [[process.versions.node.split('.')[0], process.execPath], ...others]
}
