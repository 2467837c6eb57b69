// Run this after `npm install` has added or updated a dependency with one binary package for each
// platform.
//
// npm locks an optional platform package only if its registry could serve it. With a registry that
// lacks some platforms, `npm ci` refuses the lock file ("Missing: ... from lock file"), or installs
// no binary on those platforms. This script adds the missing entries. The version comes from the
// parent's optionalDependencies, and the platform from the package's name. The entries have no
// checksum.
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))

const systems = [
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
  'aix',
]
const processors = [
  'arm64',
  'arm',
  'ia32',
  'loong64',
  'mips64el',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
]

function platformOf(name) {
  const words = name.split(/[/-]/)
  const platform = {}
  const cpu = processors.find((processor) => words.includes(processor))
  const os = systems.find((system) => words.includes(system))
  if (cpu) platform.cpu = [cpu]
  if (os) platform.os = [os]
  if (os === 'linux' && words.some((word) => word.startsWith('musl'))) platform.libc = ['musl']
  if (os === 'linux' && words.some((word) => word.startsWith('gnu'))) platform.libc = ['glibc']
  return os || cpu ? platform : undefined
}

let added = 0
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`
    const platform = platformOf(name)
    if (lock.packages[key] || !platform) continue
    if (!/^\d+\.\d+\.\d+/.test(version)) throw new Error(`${name}: expected an exact version, got ${version}`)
    lock.packages[key] = { version, ...(parent.dev ? { dev: true } : {}), optional: true, ...platform }
    added++
  }
}
const [root, ...others] = Object.keys(lock.packages)
const sorted = [root, ...others.sort((a, b) => a.localeCompare(b, 'en'))]
lock.packages = Object.fromEntries(sorted.map((key) => [key, lock.packages[key]]))
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${added} platform packages added to package-lock.json`)
