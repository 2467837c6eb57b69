/**
 * What a page pays for the client: bundled, minified and gzipped (by esbuild, which makes 3 % more
 * of it than the bundler here), and it brings nothing along. What a page does not use, such as
 * `createUser`, it does not pay for.
 */
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import { expect, it } from 'vitest'

const SOURCE = new URL('../../src/', import.meta.url).pathname

/** The size of what a page imports, in bytes. */
async function measure(code: string): Promise<number> {
  const bundle = await rolldown({
    input: 'page',
    external: ['react'],
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === 'page' ? `${SOURCE}page.js` : null),
        load: (id) => (id === `${SOURCE}page.js` ? code : null),
      },
    ],
  })
  const { output } = await bundle.generate({ format: 'es', minify: true })
  await bundle.close()
  const [chunk, ...others] = output
  expect(others).toEqual([])
  expect(chunk.imports.filter((name) => name !== 'react')).toEqual([])
  return gzipSync(chunk.code, { level: 9 }).length
}

it('the client has less than 6850 bytes, and the user 400 more', async () => {
  expect(await measure("export { AuthClientError, createAuthClient } from './client.ts'")).toBeLessThan(6850)
  expect(await measure("export * from './client.ts'")).toBeLessThan(7150)
})

it('React has less than 1000 bytes', async () => {
  expect(await measure("export * from './react.ts'")).toBeLessThan(1000)
})
