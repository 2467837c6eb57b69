#!/usr/bin/env node
/**
 * The command `create-tokenwright`: asks, and writes a project. Exits with 0; 1 if it could not
 * write, 2 for wrong arguments, and 130 if the user broke off.
 */
import { readFileSync } from 'node:fs'
import { type Command, HELP, readArguments, UsageError } from './arguments.ts'
import { ask, DEFAULT_FOLDER } from './ask.ts'
import { type Choices, defaultOf, NAMES } from './choices.ts'
import { createProject } from './project.ts'
import { checkFree, packageNameOf, writeProject } from './write-project.ts'

try {
  process.exitCode = await run(readArguments(process.argv.slice(2)))
} catch (error) {
  console.error(`create-tokenwright: ${error instanceof Error ? error.message : error}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}

async function run(command: Command | 'help' | 'version'): Promise<number> {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  if (command === 'help') console.log(HELP)
  if (command === 'version') console.log(version)
  if (typeof command === 'string') return 0
  const { folder, choices } = (await decide(command)) ?? {}
  if (folder === undefined || choices === undefined) return 130
  writeProject(folder, createProject(packageNameOf(folder), choices, version))
  console.log(describeNext(folder, choices))
  return 0
}

/** What is given, asked for, or, where no one can be asked, the defaults. */
async function decide(command: Command): Promise<{ folder: string; choices: Choices } | null> {
  const { folder = DEFAULT_FOLDER, given, yes } = command
  if (command.folder !== undefined || yes) checkTarget(folder)
  if (!yes && process.stdin.isTTY && process.stdout.isTTY) return ask(command)
  checkTarget(folder)
  const choices = Object.fromEntries(NAMES.map((name) => [name, given[name] ?? defaultOf(name)])) as Choices
  for (const name of NAMES)
    console.log(`${name}: ${choices[name]}${given[name] === undefined ? ' (default)' : ''}`)
  return { folder, choices }
}

function checkTarget(folder: string): void {
  packageNameOf(folder)
  checkFree(folder)
}

function describeNext(folder: string, { framework }: Choices): string {
  const manager = /^(pnpm|yarn|bun)\//.exec(process.env['npm_config_user_agent'] ?? '')?.[1] ?? 'npm'
  const lines = [
    ...(folder === '.' ? [] : [`cd ${folder}`]),
    `${manager} install`,
    `${manager} run test`,
    `${manager} run ${framework === 'next' ? 'dev' : 'start'}`,
  ]
  return `\nWritten to ${folder}. Its README says how to try it:\n\n${lines.map((line) => `  ${line}\n`).join('')}`
}
