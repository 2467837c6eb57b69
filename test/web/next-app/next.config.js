import { fileURLToPath } from 'node:url'

/** The library is above this folder. */
export default {
  turbopack: { root: fileURLToPath(new URL('../../..', import.meta.url)) },
  typescript: { ignoreBuildErrors: true },
}
