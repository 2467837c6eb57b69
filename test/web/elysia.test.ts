/** Elysia, on Node by its adapter, and on Bun, where that is installed for the tests of runtimes. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { start, writeApp } from './apps.ts'
import { describeApp } from './apps-suite.ts'
import { bundle, HAS_WEB } from './packages.ts'

const BUN = fileURLToPath(new URL('../runtimes/node_modules/bun/bin/bun', import.meta.url))
const FACTS = {
  signIn: '/sign-in',
  signOut: '/sign-out',
  rename: '/api/rename',
  refreshed: { '/': 200 },
  refreshesForms: false,
}

const open = async (command: (folder: string) => readonly [string, ...string[]]) => {
  const folder = writeApp('elysia', /^Elysia/, 'auth.ts')
  await bundle(folder, 'node.ts')
  return start(folder, () => command(folder))
}

describeApp('Elysia on Node', FACTS, () => open(() => [process.execPath, 'node.mjs']))

const hasBun = existsSync(BUN)
if (!hasBun) console.log('NOT INSTALLED, NOT TESTED: npm ci --prefix test/runtimes')
describeApp('Elysia on Bun', { ...FACTS, isInstalled: HAS_WEB && hasBun }, () => open(() => [BUN, 'bun.ts']))
