/** Suspensions of the process: what counts as one, and what is told of it. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { monotonic } from '../../src/session/clocks.ts'
import { SuspendDetector } from '../../src/session/suspend-detector.ts'

const NEVER = Number.NEGATIVE_INFINITY

/** Lets time pass without any timer, as a suspension does. */
function suspend(seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * 1000)
  elapsed += seconds * 1000
}
let elapsed = 0

beforeEach(() => {
  elapsed = 0
  vi.useFakeTimers()
  const { now } = performance
  vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + elapsed)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

function setUp() {
  const told: number[] = []
  const detector = new SuspendDetector((seconds) => told.push(Math.round(seconds * 10) / 10))
  return { detector, told }
}

describe('a suspend detector', () => {
  it('takes the first look for no suspension, however late it is', () => {
    const { detector, told } = setUp()
    suspend(100)
    expect([detector.check(), told]).toEqual([NEVER, []])
  })

  it('finds a suspension at the first look after it, and tells its length', () => {
    const { detector, told } = setUp()
    detector.check()
    suspend(7)
    expect(detector.check()).toBe(monotonic())
    expect(told).toEqual([7])
  })

  it('finds one during which the monotonic clock stood still (S23)', () => {
    const { detector, told } = setUp()
    detector.check()
    vi.setSystemTime(Date.now() + 7000)
    expect(detector.check()).toBe(monotonic())
    expect(told).toEqual([7])
  })

  it('takes a clock that was set back for none', () => {
    const { detector, told } = setUp()
    detector.check()
    vi.setSystemTime(Date.now() - 7000)
    expect([detector.check(), told]).toEqual([NEVER, []])
  })

  it('remembers when the last suspension ended', () => {
    const { detector } = setUp()
    detector.check()
    suspend(7)
    const wokeAt = detector.check()
    suspend(0.4)
    expect(detector.check()).toBe(wokeAt)
  })

  it.each([
    [0.499, []],
    [0.5, [0.5]],
  ])('between two looks %s seconds apart tells %j', (seconds, expected) => {
    const { detector, told } = setUp()
    detector.check()
    suspend(seconds)
    detector.check()
    expect(told).toEqual(expected)
  })

  it('looks by itself once it is started, until it is stopped', () => {
    const { detector, told } = setUp()
    detector.start()
    vi.advanceTimersByTime(10_000)
    expect([detector.check(), told]).toEqual([NEVER, []])
    suspend(3)
    vi.advanceTimersByTime(200)
    expect(told).toEqual([3.2])
    detector.stop()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('has one timer, also when it is started twice', () => {
    const { detector } = setUp()
    detector.start()
    detector.start()
    expect(vi.getTimerCount()).toBe(1)
    detector.stop()
  })
})
