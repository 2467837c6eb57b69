/**
 * What a page pays for the client: bundled, minified and gzipped it stays below 5.5 kB (by esbuild,
 * which makes 3 % more of it than the bundler here), and it brings nothing along.
 */
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import { expect, it } from 'vitest'

it('the client has less than 5300 bytes', async () => {
  const bundle = await rolldown({ input: new URL('../../src/client.ts', import.meta.url).pathname })
  const { output } = await bundle.generate({ format: 'es', minify: true })
  await bundle.close()
  const [chunk, ...others] = output
  expect(others).toEqual([])
  expect(chunk.imports).toEqual([])
  expect(gzipSync(chunk.code, { level: 9 }).length).toBeLessThan(5300)
})
