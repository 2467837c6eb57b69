/**
 * Attacks that are not requests: a search for secrets in what the process printed, and a check that
 * misuse does not compile.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { AuthError } from 'tokenwright'
import type { Attacker } from './attacker.ts'
import { isList, type JsonObject } from './cases.ts'
import { secretTexts } from './keys.ts'
import { HOME, LIBRARY } from './root.ts'
import { USERS } from './target.ts'
import { Unsupported } from './values.ts'

/** The texts to search for, by their name in case files. */
function wantedTexts(name: string, attacker: Attacker): string[] {
  if (name === '$all_tokens') return [...attacker.suite.secrets]
  if (name === '$all_secrets') return secretTexts()
  if (name === '$all_passwords') return [...USERS.values()].filter((password) => password.length > 1)
  throw new Unsupported(`unknown search for ${name}`)
}

/** Whether a text has a secret in it. A short one, such as the password `pw`, must be a word. */
export function holds(text: string, secret: string): boolean {
  return secret.length >= 8 ? text.includes(secret) : new RegExp(`(?<![\\w-])${secret}(?![\\w-])`).test(text)
}

/** What the library's objects show when an application logs them carelessly. */
async function renderObjects({ target }: Attacker): Promise<string[]> {
  const { auth } = target
  const refused = await auth.verifyToken('a.b.c').catch((error: unknown) => error)
  const error = refused instanceof AuthError ? refused : new AuthError('token_missing')
  const objects: unknown[] = [auth, error, { auth, error }]
  return objects.flatMap((value) => [
    inspect(value, { depth: 12, showHidden: true }),
    String(value),
    JSON.stringify(value) ?? '',
  ])
}

/** The `inspect` step: searches everything that was printed since the run began. */
export async function searchLogs(body: JsonObject, attacker: Attacker): Promise<void> {
  const { what, grep } = body
  if (what !== 'logs' || !isList(grep))
    throw new Unsupported(`unknown search in ${JSON.stringify(what ?? null)}`)
  const secrets = grep.flatMap((name) => wantedTexts(String(name), attacker))
  const texts = [
    ...attacker.suite.output,
    ...attacker.suite.refusals,
    ...(await renderObjects(attacker)),
  ].join('\n')
  const hits = secrets.filter((secret) => holds(texts, secret)).length
  attacker.findings.set('hits', hits)
  attacker.findings.set('searched', `${texts.length} characters for ${secrets.length} secrets`)
  if (secrets.length === 0 || texts.length === 0) attacker.findings.set('control', 'nothing was searched')
}

/** The start of both programs. With an unverified payload it must not compile. */
const MISUSE = `import { createAuth } from 'tokenwright'
const auth = createAuth({ secret: '' })
const genuine = await auth.verifyToken('')
const unverified = auth.decodeUnverified('')
`

/** The `tsc` step: an unverified payload must not have the type of a verified one. */
export async function typeTests(_body: JsonObject, attacker: Attacker): Promise<void> {
  const compiler = join(LIBRARY, 'node_modules', '.bin', 'tsc')
  if (!existsSync(compiler) || !existsSync(join(LIBRARY, 'dist', 'src', 'index.d.ts'))) {
    throw new Unsupported('type tests: there is no compiler, or the package is not built')
  }
  const folder = join(HOME, 'dist', `types-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  const compile = (name: string, code: string) => {
    const file = join(folder, `${name}.ts`)
    writeFileSync(file, MISUSE + code)
    const options =
      '--ignoreConfig --noEmit --strict --target es2023 --module nodenext --types node --skipLibCheck'
    const { status, stdout } = spawnSync(compiler, [...options.split(' '), file], {
      cwd: HOME,
      encoding: 'utf8',
    })
    return { compiles: status === 0, output: stdout }
  }
  try {
    const control = compile('control', 'void auth.createAccessToken(genuine)\n')
    const misuse = compile('misuse', 'void auth.createAccessToken(unverified)\n')
    if (!control.compiles) attacker.findings.set('control', `the control does not compile: ${control.output}`)
    attacker.findings.set('misuse compiles', misuse.compiles)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
