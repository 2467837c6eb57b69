/**
 * How long sessions last: the rules of the application, and what one login says for itself within
 * them. A session that is not to be remembered is brief: its cookies end with the browser, and its
 * lives are shorter.
 */
import { ConfigurationError } from '../internal/configuration-error.ts'
import { type Duration, toSeconds } from '../internal/duration.ts'
import { readOptionGroup } from '../internal/read-options.ts'

/** How long a session lasts whose login has said `remember: false`. */
export interface BriefOptions {
  /** When such a session ends unused. Default `'12h'`, or `sessions.idle` if that is shorter. */
  readonly idle?: Duration
  /**
   * When such a session ends in any case, not before its `idle`. Default `'24h'`, or
   * `sessions.absolute` if that is shorter.
   */
  readonly absolute?: Duration
}

/** The two lives of a session, in seconds. */
export interface SessionLives {
  /** Until it ends unused. */
  readonly idle: number
  /** Until it ends in any case. */
  readonly absolute: number
}

/** The lives of all sessions. */
export interface LifeSettings extends SessionLives {
  /** Those of brief sessions. */
  readonly brief: SessionLives
}

/** The defaults of brief sessions; none is longer than what other sessions have. */
export const BRIEF_DEFAULTS: Readonly<Required<BriefOptions>> = { idle: '12h', absolute: '24h' }

/** Any length of at least a second. */
const ANY_LENGTH = { min: 1, max: Number.MAX_SAFE_INTEGER } as const

/** The lives as options. */
interface LifeOptions {
  readonly idle: Duration
  readonly absolute: Duration
  readonly brief: BriefOptions | undefined
}

/**
 * Checks and prepares the lives of sessions.
 *
 * @param longest the longest life of any token, in seconds
 * @throws {ConfigurationError} for a life out of bounds, and for an `absolute` before its `idle`
 */
export function resolveLives({ idle, absolute, brief }: LifeOptions, longest: number): LifeSettings {
  const bounds = { min: 1, max: longest }
  const usual = {
    idle: toSeconds('sessions.idle', idle, bounds),
    absolute: toSeconds('sessions.absolute', absolute, bounds),
  }
  checkOrder('sessions', usual)
  const given = readOptionGroup<BriefOptions>('sessions.brief', brief, ['idle', 'absolute'])
  // What is not said is no longer than what other sessions have.
  const readLife = (name: keyof SessionLives, most: number): number => {
    const value = given[name]
    if (value !== undefined) return toSeconds(`sessions.brief.${name}`, value, { min: 1, max: usual[name] })
    return Math.min(most, toSeconds(name, BRIEF_DEFAULTS[name], ANY_LENGTH))
  }
  const longestBrief = readLife('absolute', usual.absolute)
  const lives = { idle: readLife('idle', Math.min(usual.idle, longestBrief)), absolute: longestBrief }
  checkOrder('sessions.brief', lives)
  return { ...usual, brief: Object.freeze(lives) }
}

function checkOrder(group: string, { idle, absolute }: SessionLives): void {
  if (absolute < idle)
    throw new ConfigurationError(`Expected \`${group}.absolute\` to be no shorter than \`${group}.idle\``)
}

/** What one login says of its session's lives. */
export interface LoginLifeOptions {
  /**
   * When this session ends unused: no later than others (`sessions.idle`, or
   * `sessions.brief.idle`), and no sooner than a refresh can prolong it: eight times
   * `sessions.overlap`, or twice that and the life of an access token. Default as others, or its
   * `absolute` if that is shorter.
   */
  readonly idle?: Duration
  /**
   * When this session ends in any case, no later than others (`sessions.absolute`, or
   * `sessions.brief.absolute`). Default as others.
   */
  readonly absolute?: Duration
}

/** How long the session of one login lasts. */
export interface LoginLives {
  /** Whether it is brief. */
  readonly brief: boolean
  /** Its own time until it ends unused, in seconds; null for that of the application. */
  readonly idleFor: number | null
  /** Seconds until it ends in any case. */
  readonly absolute: number
}

/**
 * Checks what one login says, within the rules of the application.
 *
 * @param remember whether the user wants to stay signed in
 * @throws {ConfigurationError} for a life that is longer than the rules allow, or so short that
 *   the session ends in use
 */
export function readLoginLives(
  { idle, absolute }: LoginLifeOptions,
  remember: boolean,
  settings: LifeSettings & { readonly overlap: number; readonly accessTtl: number },
): LoginLives {
  const group = remember ? 'sessions' : 'sessions.brief'
  const most = remember ? settings : settings.brief
  const readLife = (name: keyof SessionLives, value: Duration): number => {
    const seconds = toSeconds(name, value, ANY_LENGTH)
    if (seconds <= most[name]) return seconds
    throw new ConfigurationError(
      `Expected \`${name}\` of a login to be at most \`${group}.${name}\`, ${most[name]} s, got ${seconds} s`,
    )
  }
  const longest = absolute === undefined ? most.absolute : readLife('absolute', absolute)
  const own = idle === undefined ? Math.min(most.idle, longest) : readLife('idle', idle)
  if (own > longest)
    throw new ConfigurationError('Expected `idle` of a login to be no longer than its `absolute`')
  if (idle !== undefined && fitOverlap(settings.overlap, own, settings.accessTtl) < settings.overlap)
    throw new ConfigurationError(
      `Expected \`idle\` of a login to be at least ${8 * settings.overlap} s, eight times \`sessions.overlap\`, got ${own} s`,
    )
  const isUsual = remember && idle === undefined
  return { brief: !remember, idleFor: isUsual ? null : own, absolute: longest }
}

/**
 * Shortens an overlap that would end sessions in use. A generation younger than two overlaps is
 * kept and moves no idle end, so that a session could end as idle between two refreshes.
 */
export function fitOverlap(overlap: number, idle: number, accessTtl: number): number {
  if (2 * overlap + accessTtl < idle) return overlap
  return Math.min(overlap, Math.max(idle / 8, (idle - accessTtl) / 4))
}
