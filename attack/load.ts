/**
 * Attacks by volume: many hostile tokens, to time their refusal, and many valid ones, to check the
 * bounds of the cache. The machine may be busy, so the best of three rounds counts.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Attacker } from './attacker.ts'
import type { JsonObject } from './cases.ts'
import { signWith } from './keys.ts'
import { readSegment, toSegments } from './mutations.ts'
import { countOf, resolve, toJson, Unsupported } from './values.ts'

const LENGTH = 8_000

/** Tokens of nearly 8 KB. Each is expensive to check in another way, and none has a known key. */
function hostileTokens(
  header: Readonly<Record<string, unknown>>,
  payload: string,
  signature: string,
): string[] {
  const encode = (value: unknown) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
  const head = encode(header)
  const size = Math.floor((LENGTH * 3) / 4) - 600
  const nested = '['.repeat(size / 2) + ']'.repeat(size / 2)
  const members = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`member${index}`, index]))
  return [
    `${encode(`{"alg":"HS256","x":${nested}}`)}.${payload}.${signature}`,
    `${encode({ ...header, ...members })}.${payload}.${signature}`,
    `${encode({ ...header, kid: 'k'.repeat(size) })}.${payload}.${signature}`,
    `${head}.${encode(`{"x":${nested}}`)}.${signature}`,
    `${head}.${encode(members)}.${signature}`,
    `${head}.${payload}.${'A'.repeat(LENGTH - head.length - payload.length)}`,
    `${head}.${'A'.repeat(LENGTH - 200)}.${signature}`,
    `${'A'.repeat(LENGTH - 800)}.${payload}.${signature}`,
    '.'.repeat(LENGTH),
    'a'.repeat(LENGTH),
  ]
}

/** Whether anything calls `JSON.parse` with a text while a part of the attack runs. */
async function parsesDuring(text: string, part: () => Promise<unknown>): Promise<boolean> {
  const original = JSON.parse
  let seen = false
  JSON.parse = (source, reviver) => {
    seen ||= source === text
    return original(source, reviver)
  }
  try {
    await part()
  } finally {
    JSON.parse = original
  }
  return seen
}

/** The `bench` step: sends `n` hostile tokens and takes the 99th percentile of handling times. */
export async function bench(body: JsonObject, attacker: Attacker): Promise<void> {
  const { tokens, n } = body
  if (tokens !== '$hostile_8k') throw new Unsupported('bench knows only the tokens $hostile_8k')
  const count = countOf(n, 'n', 100_000)
  const { header, payload } = toSegments((await attacker.witness()).access)
  const hostile = hostileTokens(readSegment(header), payload, 'A'.repeat(43))
  const ask = (token: string) =>
    attacker.request({ path: '/protected', headers: [['Authorization', `Bearer ${token}`]] })

  const spied = `${header}.${payload}.${'A'.repeat(43)}`
  const text = Buffer.from(payload, 'base64url').toString()
  attacker.findings.set('parsed', await parsesDuring(text, () => ask(spied)))

  const statuses = new Set<number>()
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 3 && best > 1; round++) {
    const times: number[] = []
    for (let i = 0; i < count; i++) {
      const exchange = await ask(hostile[i % hostile.length] ?? '')
      statuses.add(exchange.response.status)
      times.push(exchange.handling ?? 0)
      if (i === count - 1) attacker.exchanges.push(exchange)
    }
    times.sort((a, b) => a - b)
    best = Math.min(best, times[Math.floor(times.length * 0.99)] ?? best)
  }
  attacker.findings.set('p99', best)
  attacker.findings.set('repeated', [...statuses])
}

/** Collects garbage. Returns the used heap, in bytes. */
export function collectGarbage(): number {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  if (typeof gc === 'function') gc()
  return process.memoryUsage().heapUsed
}

/**
 * The `flood` step: verifies `n` different valid tokens, without HTTP, which would take an hour.
 * The growth of the heap shows whether the cache is bounded.
 */
export async function flood(body: JsonObject, attacker: Attacker): Promise<void> {
  const { n, token } = body
  const count = countOf(n, 'n', 2_000_000)
  if (token === 'unknown_kid') return floodWithKids(count, body, attacker)
  if (token !== 'valid_unique')
    throw new Unsupported('flood knows only the tokens valid_unique and unknown_kid')
  const { auth, server } = attacker.target
  const genuine = toSegments((await attacker.witness()).access)
  const claims = readSegment(genuine.payload)
  const before = collectGarbage()
  for (let i = 0; i < count; i++) {
    const input = `${genuine.header}.${Buffer.from(toJson({ ...claims, jti: `flood-${i}` })).toString('base64url')}`
    await auth.verifyToken(`${input}.${signWith(server.alg, server.key, input).toString('base64url')}`)
  }
  attacker.findings.set('heap', collectGarbage() - before)
  const { access } = await attacker.witness()
  await attacker.attempt({ path: '/protected', headers: [['Authorization', `Bearer ${access}`]] })
}

/** Verifies tokens with made-up `kid`s of one issuer, all at once. None may be accepted. */
async function floodWithKids(count: number, { iss }: JsonObject, attacker: Attacker): Promise<void> {
  const { auth } = attacker.target
  const genuine = toSegments((await attacker.witness()).access)
  const claims = { ...readSegment(genuine.payload), iss: await resolve(iss ?? null, attacker) }
  const payload = Buffer.from(toJson(claims)).toString('base64url')
  const signature = 'A'.repeat(86)
  const verified = Array.from({ length: count }, (_, index) => {
    const header = { ...readSegment(genuine.header), alg: 'ES256', kid: `flood-${index}` }
    const encoded = Buffer.from(toJson(header)).toString('base64url')
    return auth.verifyToken(`${encoded}.${payload}.${signature}`).then(
      () => true,
      () => false,
    )
  })
  const accepted = (await Promise.all(verified)).filter(Boolean).length
  if (accepted > 0) attacker.complaints.push(`${accepted} of ${count} tokens with a made-up kid are accepted`)
}
