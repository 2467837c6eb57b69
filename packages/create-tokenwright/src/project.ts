/** The files of a project: the parts of its choices, put together. Writes nothing. */
import { randomBytes } from 'node:crypto'
import type { Choices } from './choices.ts'
import { frameworkPart } from './parts/frameworks.ts'
import { writeManifest, writeReadme, writeTsconfig } from './parts/papers.ts'
import { proofPart } from './parts/proofs.ts'
import { STORES } from './parts/stores.ts'
import { writeTest } from './parts/test-file.ts'

/** A project: the content of its files by path. */
export function createProject(name: string, choices: Choices, version: string): Record<string, string> {
  const proof = proofPart(choices.proofs, choices.delivery)
  const framework = frameworkPart(choices, proof.guard)
  const store = STORES[choices.store]
  const parts = [framework, store, proof]
  const env = [
    `TOKENWRIGHT_SECRET=${randomBytes(48).toString('base64url')}`,
    ...parts.flatMap((part) => part.env ?? []).map((line) => line.replace('<key>', createTotpKey())),
  ]
  return {
    '.env': toLines(env),
    '.env.example': toLines(env.map((line) => line.replace(/^(TOKENWRIGHT_SECRET|DEMO_TOTP_KEY)=.*/, '$1='))),
    '.gitignore': toLines(['node_modules/', '.env', '*.db*', ...(framework.ignored ?? [])]),
    'package.json': writeManifest(name, { parts, scripts: framework.scripts, version }),
    'tsconfig.json': writeTsconfig(framework),
    'README.md': writeReadme(name, choices, { framework, proof }),
    ...Object.assign({}, ...parts.map((part) => part.files ?? {})),
    'test/app.test.ts': writeTest(choices.delivery, { framework: framework.test, proof: proof.test }),
  }
}

function toLines(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`
}

/** A key of 160 bits in Base32 (RFC 4648 section 6), as RFC 4226 section 4 recommends. */
function createTotpKey(): string {
  return Array.from(randomBytes(32), (byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[byte % 32]).join('')
}
