import type { BuildOptions } from 'esbuild'

export const PRIVATE: readonly string[]
export const CLIENT: BuildOptions & { readonly write?: true }
