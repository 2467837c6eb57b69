/**
 * The reference: what becomes of sessions, in forty lines, written from the specification's table and not from the library.
 * One step at a time; whole seconds.
 */

/** A login, as the reference sees it. */
export interface Family {
  readonly sub: string
  gen: number
  rotatedAt: number
  /** How late predecessors were: in this generation, and in those before. */
  late: number
  lateBefore: number
  steppedUpAt: number
  idleUntil: number
  readonly until: number
  revoked: boolean
}

/** The rules that the runs are made with, in seconds. */
export const RULES = { overlap: 30, idle: 400, absolute: 2000 } as const

/** All sessions, and the cut-offs of their subjects. */
export class Reference {
  readonly families = new Map<string, Family>()
  readonly cutOffs = new Map<string, number>()
  readonly logged: string[] = []

  start(sid: string, sub: string, provedAt: number, now: number): boolean {
    if (provedAt <= (this.cutOffs.get(sub) ?? -1)) return false
    const family = {
      sub,
      gen: 0,
      rotatedAt: now,
      late: 0,
      lateBefore: 0,
      steppedUpAt: Number.NEGATIVE_INFINITY,
      idleUntil: now + RULES.idle,
      until: now + RULES.absolute,
      revoked: false,
    }
    this.families.set(sid, family)
    return true
  }

  state(sid: string, now: number): 'unknown' | 'revoked' | 'expired' | 'live' {
    const family = this.families.get(sid)
    if (family === undefined) return 'unknown'
    if (family.revoked) return 'revoked'
    return now >= family.idleUntil || now >= family.until ? 'expired' : 'live'
  }

  refresh(sid: string, gen: number, now: number): string {
    const family = this.families.get(sid)
    const state = this.state(sid, now)
    if (family === undefined || state !== 'live') return state
    const age = now - family.rotatedAt
    const steppedUp = family.steppedUpAt > family.rotatedAt && now - family.steppedUpAt < RULES.overlap
    if (gen === family.gen && (steppedUp || (gen !== 0 && age < 2 * RULES.overlap))) return 'kept'
    if (gen === family.gen - 1) {
      const late = age * 6 > RULES.overlap ? Math.max(family.late, Math.min(age, RULES.overlap)) : family.late
      if (family.lateBefore + late >= 12 * RULES.overlap) return this.revoke(sid, 'reused')
      family.late = late
      return 'replayed'
    }
    if (gen < family.gen) return this.revoke(sid, 'reused')
    const word = gen === family.gen ? 'rotated' : 'healed'
    family.lateBefore =
      family.late > 0 ? family.lateBefore + family.late : Math.max(0, family.lateBefore - RULES.overlap)
    family.late = 0
    family.gen = gen + 1
    family.rotatedAt = now
    family.idleUntil = Math.min(now + RULES.idle, family.until)
    return word
  }

  stepUp(sid: string, now: number): string {
    const state = this.state(sid, now)
    const family = this.families.get(sid)
    if (state === 'live' && family !== undefined) family.steppedUpAt = now
    return state
  }

  revoke<W>(sid: string, word: W): W {
    const family = this.families.get(sid)
    if (family !== undefined) family.revoked = true
    this.logged.push(sid)
    return word
  }

  live(sub: string, now: number): string[] {
    const mine = [...this.families].filter(([, family]) => family.sub === sub)
    return mine.map(([sid]) => sid).filter((sid) => this.state(sid, now) === 'live')
  }
}
