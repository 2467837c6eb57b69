/** Asks on a terminal for what was not given. */
import { cancel, isCancel, select, text } from '@clack/prompts'
import type { Command } from './arguments.ts'
import { type Choices, defaultOf, NAMES, type Name, QUESTIONS, valuesOf } from './choices.ts'
import { checkFree, packageNameOf } from './write-project.ts'

export const DEFAULT_FOLDER = 'tokenwright-app'

/** The folder and the choices; null where the user broke off. */
export async function ask({ folder, given }: Command): Promise<{ folder: string; choices: Choices } | null> {
  const place =
    folder ??
    (await text({
      message: 'Which folder?',
      initialValue: DEFAULT_FOLDER,
      validate: (value) => reasonAgainst(value ?? ''),
    }))
  if (isCancel(place)) return breakOff()
  const choices: Record<string, string> = { ...given }
  for (const name of NAMES) {
    if (choices[name] !== undefined) continue
    const value = await askFor(name)
    if (isCancel(value)) return breakOff()
    choices[name] = value
  }
  return { folder: place, choices: choices as Choices }
}

function askFor(name: Name) {
  const labels: Readonly<Record<string, string>> = QUESTIONS[name].values
  return select<string>({
    message: QUESTIONS[name].message,
    initialValue: defaultOf(name),
    options: valuesOf(name).map((value) => ({ value, label: value, hint: labels[value] ?? '' })),
  })
}

function reasonAgainst(folder: string): string | undefined {
  try {
    packageNameOf(folder)
    checkFree(folder)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

function breakOff(): null {
  cancel('Nothing was written.')
  return null
}
