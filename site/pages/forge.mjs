/**
 * Where the files of the repository can be read: on the forge that `package.json` names, at the tag
 * of this version. It names none before the first release: then links to the forge are left out.
 */
import { read } from './repository.mjs'

/** The forge of a manifest, as `{ revision, files }`: the tag, and what stands before a path. */
export function forgeOf({ version, repository }) {
  const home = /^git\+(https:\/\/[^\s#]+)\.git$/.exec(repository?.url ?? '')?.[1]
  const revision = `v${version}`
  return home && { revision, files: `${home}/blob/${revision}/` }
}

export const forge = forgeOf(JSON.parse(read('package.json')))
