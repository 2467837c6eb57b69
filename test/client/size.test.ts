/**
 * What a page pays for the client: bundled and minified by esbuild, then gzipped; and it brings
 * nothing along. What a page does not use, such as `createUser`, it does not pay for.
 */
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, it } from 'vitest'

const SOURCE = new URL('../../src/', import.meta.url).pathname

/** The size of what a page imports, in bytes. */
async function measure(code: string): Promise<number> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: SOURCE, loader: 'ts' },
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

it('the client has less than 5750 bytes, and the user and the sessions 400 more', async () => {
  expect(await measure("export { AuthClientError, createAuthClient } from './client.ts'")).toBeLessThan(5750)
  expect(await measure("export * from './client.ts'")).toBeLessThan(6150)
})

it('React has less than 1000 bytes', async () => {
  expect(await measure("export * from './react.ts'")).toBeLessThan(1000)
})
