/**
 * `npm run vectors`: fetches the test vectors of Project Wycheproof (C2SP, Apache License 2.0) into
 * `test/vectors/wycheproof/`. They belong to others and are not part of this repository. The commit
 * is pinned, and each file must have the SHA-256 digest below. TOKENWRIGHT_VECTORS_URL names a
 * mirror of the folder. The exit code is 1 if a file is missing afterwards.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const COMMIT = 'dac1dd4729fd1f8dd9e1e9f3dce51d783da6c166'
const SOURCE = `https://raw.githubusercontent.com/C2SP/wycheproof/${COMMIT}/testvectors_v1/`
const FOLDER = 'test/vectors/wycheproof'

/** The SHA-256 digest of each file, in hexadecimal. */
const DIGESTS = {
  'json_web_signature_test.json': '8e687a06fe8359f4ec51480f1a9f73c8faebd6f4c01b818b843b44eee54fd5d9',
  'json_web_key_test.json': 'be983255bce26406f97020ec5458b33930a90d5f868e604fcd569c300aba2862',
  'json_web_crypto_test.json': 'dcd58ac9548a7d6173437a691e4cc307dcd3cec9fd814a39cd2a94531cf4f8ce',
}

/** The limits for one file: time in milliseconds, and size in bytes. */
const DEADLINE = 60_000
const MAX_SIZE = 4 * 1024 * 1024

const { values } = parseArgs({ options: { folder: { type: 'string' } } })
const folder = resolve(values.folder ?? join(import.meta.dirname, '..', FOLDER))
const source = process.env.TOKENWRIGHT_VECTORS_URL || SOURCE

mkdirSync(folder, { recursive: true })
for (const [name, digest] of Object.entries(DIGESTS)) {
  try {
    console.log(`${name}: ${await provide(name, digest)}`)
  } catch (error) {
    process.exitCode = 1
    console.error(`${name}: FAILED. ${toReason(error)}`)
  }
}
if (process.exitCode === 1) {
  console.error(`\nWithout these files the Wycheproof tests are skipped. They were requested from ${source}`)
}

async function provide(name, digest) {
  const file = join(folder, name)
  if (toDigest(read(file)) === digest) return 'already here'
  const url = new URL(name, source.endsWith('/') ? source : `${source}/`)
  const bytes = await download(url)
  const found = toDigest(bytes)
  if (found !== digest) throw new Error(`Expected the SHA-256 digest ${digest}, got ${found}`)
  // An interrupted run must not leave an incomplete file under the real name.
  const part = `${file}.${process.pid}.part`
  try {
    writeFileSync(part, bytes)
    renameSync(part, file)
  } finally {
    rmSync(part, { force: true })
  }
  return `fetched, ${bytes.length} bytes`
}

function read(file) {
  try {
    return readFileSync(file)
  } catch {
    return Buffer.alloc(0)
  }
}

async function download(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(DEADLINE) })
  if (!response.ok) throw new Error(`${url} returns ${response.status}`)
  const parts = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.length
    if (size > MAX_SIZE) throw new Error(`Expected at most ${MAX_SIZE} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function toDigest(bytes) {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The message of an error and of its cause. `fetch` itself only says "fetch failed". */
function toReason(error) {
  const { message, cause } = error
  return cause instanceof Error ? `${message}: ${cause.message || cause.code}` : message
}
