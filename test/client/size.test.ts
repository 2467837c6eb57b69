/**
 * What a page pays for the client that is published: bundled and minified by esbuild, then gzipped;
 * and it brings nothing along. What a page does not use, such as `createUser`, it does not pay for.
 */
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, it } from 'vitest'
import { CLIENT, PRIVATE } from '../../scripts/bundle.mjs'

const SOURCE = new URL('../../src/', import.meta.url)
const DIST = new URL('../../dist/esm/', import.meta.url).pathname

/** The size of what a page imports, in bytes. */
async function measure(code: string): Promise<number> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: DIST },
    bundle: true,
    minify: true,
    format: 'esm',
    external: ['react'],
    metafile: true,
    write: false,
  })
  const [file, ...others] = outputFiles
  expect(others).toEqual([])
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports)
  expect(imports.filter(({ path }) => path !== 'react')).toEqual([])
  return gzipSync(file?.contents ?? '', { level: 9 }).length
}

it('is one file, made of the source', async () => {
  const { outputFiles } = await build({ ...CLIENT, write: false })
  expect(outputFiles?.map(({ text }) => text)).toEqual([readFileSync(`${DIST}client.js`, 'utf8')])
})

it('the client has at most 5632 bytes (5.5 KiB), and all of it 6000', async () => {
  expect(
    await measure("export { AuthClientError, createAuthClient } from './client.js'"),
  ).toBeLessThanOrEqual(5632)
  expect(await measure("export * from './client.js'")).toBeLessThanOrEqual(6000)
})

it('React has less than 1000 bytes', async () => {
  expect(await measure("export * from './react.js'")).toBeLessThan(1000)
})

it('no name that becomes short is public, of the platform, stored or sent to other tabs', () => {
  const context = readFileSync(new URL('client/context.ts', SOURCE), 'utf8')
  const own = context.slice(context.indexOf('export interface ClientContext'))
  const tabs = readFileSync(new URL('client/tabs.ts', SOURCE), 'utf8')
  const others = ['client.ts', 'client/options.ts', 'client/platform.ts', 'client/client-error.ts']
    .map((file) => readFileSync(new URL(file, SOURCE), 'utf8'))
    .concat(context.slice(0, context.indexOf('export type TabMessage')))
    .join()
  for (const name of PRIVATE) {
    const member = new RegExp(`^  (?:readonly )?${name}\\??[:(]`, 'm')
    expect(`${own}${tabs}`).toMatch(member)
    expect(others).not.toMatch(member)
  }
})
