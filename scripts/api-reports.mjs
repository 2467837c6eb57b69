// npm run api: writes api/, a report for each entry point of the published packages: its names with
// their signatures, from the declarations that the build made. `-- --to <folder>` writes elsewhere.
//
// API Extractor brings a TypeScript of its own: version 7 has no interface for programs.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor'

const root = fileURLToPath(new URL('..', import.meta.url))
/** Packages with entry points for programs. `create-tokenwright` is a command only. */
const PACKAGES = ['.', 'packages/store-suite', 'packages/refresh-races']
const { values } = parseArgs({ options: { to: { type: 'string', default: join(root, 'api') } } })
const folder = resolve(values.to)

const COMPILER = {
  module: 'nodenext',
  target: 'es2023',
  lib: ['es2023', 'es2024.string'],
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  noEmit: true,
}

/** The entry points of a package: the declarations of each, and the name of its report. */
function readEntries(home) {
  const manifest = JSON.parse(readFileSync(join(root, home, 'package.json'), 'utf8'))
  return Object.entries(manifest.exports)
    .filter(([name]) => name !== './package.json')
    .map(([name, target]) => ({
      report: `${name.replace('.', manifest.name).replaceAll('/', '-')}.api.md`,
      declarations: join(root, home, target.types ?? target.default.types),
    }))
}

function toConfig(home, { report, declarations }) {
  const quiet = { default: { logLevel: 'none' } }
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: join(root, home),
      mainEntryPointFilePath: declarations,
      newlineKind: 'lf',
      compiler: { overrideTsconfig: { compilerOptions: COMPILER, files: [declarations] } },
      apiReport: { enabled: true, reportFileName: report, reportFolder: folder, reportTempFolder: folder },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        extractorMessageReporting: quiet,
        compilerMessageReporting: { default: { logLevel: 'error' } },
        tsdocMessageReporting: quiet,
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, home, 'package.json'),
  })
}

/** Writes the reports of a package. One compilation serves all its entry points. */
function writeReports(home) {
  const configs = readEntries(home).map((entry) => toConfig(home, entry))
  const [first, ...others] = configs
  const compilerState = CompilerState.create(first, {
    additionalEntryPoints: others.map((config) => config.mainEntryPointFilePath),
  })
  for (const config of configs) {
    const messageCallback = (message) => {
      message.handled = true
      if (message.logLevel === 'error') throw new Error(message.formatMessageWithLocation(root))
    }
    Extractor.invoke(config, { compilerState, localBuild: true, messageCallback })
  }
}

mkdirSync(folder, { recursive: true })
for (const name of readdirSync(folder)) if (name.endsWith('.api.md')) rmSync(join(folder, name))
for (const home of PACKAGES) writeReports(home)
