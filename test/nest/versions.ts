/**
 * Nest 12, which is installed at the root, and Nest 11 out of `test/nest/eleven`, each with the
 * door as its users would have it: of 12 the source, of 11 the built package in a folder of its
 * own, where `@nestjs/common` is 11 and a CommonJS module.
 */
import { cpSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as common from '@nestjs/common'
import * as core from '@nestjs/core'
import * as express from '@nestjs/platform-express'
import * as fastify from '@nestjs/platform-fastify'
import * as door from '../../src/adapters/nest.ts'
import * as library from '../../src/index.ts'

/** One version of Nest, its platforms, and the door beside it. */
export interface Nest {
  readonly version: 11 | 12
  readonly common: typeof common
  readonly core: typeof core
  readonly express: typeof express
  readonly fastify: typeof fastify
  readonly door: typeof door
  /** The front door of the same copy of the package: filters know errors by their class. */
  readonly library: typeof library
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ELEVEN = join(ROOT, 'test/nest/eleven/node_modules/@nestjs')

/** The platforms of Nest. */
export const PLATFORMS = ['express', 'fastify'] as const

/** Nest 12. */
async function loadTwelve(): Promise<Nest> {
  return { version: 12, common, core, express, fastify, door, library }
}

/**
 * Puts the built package beside Nest 11, as an installation would.
 *
 * @returns the folder of the package, in the `node_modules` of a folder that is gone when the run
 *   ends
 */
export function installBesideEleven(): string {
  const folder = mkdtempSync(join(process.env['TOKENWRIGHT_TEST_FOLDER'] ?? tmpdir(), 'nest-'))
  const home = join(folder, 'node_modules/tokenwright')
  mkdirSync(home, { recursive: true })
  cpSync(join(ROOT, 'dist/esm'), join(home, 'dist/esm'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(home, 'package.json'))
  symlinkSync(ELEVEN, join(folder, 'node_modules/@nestjs'))
  const { dependencies = {} } = createRequire(import.meta.url)('../../package.json')
  for (const name of Object.keys(dependencies))
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  return home
}

/** Nest 11. */
async function loadEleven(): Promise<Nest> {
  const require = createRequire(join(ELEVEN, 'core/package.json'))
  const home = installBesideEleven()
  const load = (path: string): Promise<unknown> => import(pathToFileURL(join(home, 'dist/esm', path)).href)
  return {
    version: 11,
    common: require('@nestjs/common'),
    core: require('@nestjs/core'),
    express: require('@nestjs/platform-express'),
    fastify: require('@nestjs/platform-fastify'),
    door: (await load('adapters/nest.js')) as typeof door,
    library: (await load('index.js')) as typeof library,
  }
}

const loaded = new Map<Nest['version'], Promise<Nest>>()

/** A version of Nest, loaded once. */
export function loadNest(version: Nest['version']): Promise<Nest> {
  const nest = loaded.get(version) ?? (version === 12 ? loadTwelve() : loadEleven())
  loaded.set(version, nest)
  return nest
}
