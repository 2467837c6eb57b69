/**
 * The versions of the documentation, from `versions.json`: each has a name and the path under which
 * it is served. A version is built from the sources of its tag, so one build makes one of them:
 * `SITE_VERSION`, by default the current one.
 */
import { readFileSync } from 'node:fs'

const { current, versions } = JSON.parse(readFileSync(new URL('../versions.json', import.meta.url), 'utf8'))

/** The version of this build, as `{ name, base }`. */
export function chosenVersion(name = process.env['SITE_VERSION'] || current) {
  const version = versions.find((one) => one.name === name)
  const names = versions.map((one) => one.name).join(', ')
  if (!version) throw new Error(`SITE_VERSION: expected one of ${names}, got ${name}`)
  if (!/^\/([\w.-]+\/)*$/.test(version.base))
    throw new Error(`versions.json: expected a base such as /v1/, got ${version.base}`)
  // The whole site may be below a path of its host.
  const root = (process.env['SITE_ROOT'] ?? '').replace(/\/$/, '')
  if (root && !/^(\/[\w.-]+)+$/.test(root))
    throw new Error(`SITE_ROOT: expected a path such as /docs, got ${root}`)
  return { name, base: root + version.base, root }
}

/**
 * The menu of all versions, for the bar at the top. VitePress would put the base of this build
 * before its own links, so the menu is a component.
 */
export function versionMenu({ name, root }) {
  const links = versions.map((one) => ({
    text: one.name === current ? `${one.name} (current)` : one.name,
    link: root + one.base,
    isThis: one.name === name,
  }))
  return { component: 'VersionMenu', props: { name, versions: links } }
}
