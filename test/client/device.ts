/**
 * A browser for the client without a browser: cookies, storage, Web Locks and channels as its tabs share them, and a clock with
 * timers that stand still until the test moves them. HTTP is real. What only a real browser can show is in `engines/`.
 */
import { onTestFinished } from 'vitest'
import type { AuthClient, AuthClientOptions, Platform, TabLocks } from '../../src/client.ts'
import { createAuthClient } from '../../src/client.ts'
import type { Origin } from './origin.ts'

/** A browser. */
export interface Device {
  readonly jar: Map<string, string>
  readonly storage: Map<string, string>
  /** What its tabs use of it. */
  readonly platform: Partial<Platform>
  /** Opens a tab. */
  open(options?: AuthClientOptions): AuthClient
  /** What `onSignedOut` was called with, over all tabs. */
  readonly signedOut: string[]
  /** Moves the clocks of the device and of the server, and runs the timers that are due. */
  pass(seconds: number): Promise<void>
  /** Moves this device's clock alone. */
  drift(seconds: number): void
  /** Whether the network is away. */
  offline: boolean
  /** Whether the browser keeps no cookies. */
  refusesCookies: boolean
  /** Tells all tabs of an event of the browser, such as `focus`. */
  tell(event: string): void
  /** Letters on the channels reach the other tabs when this lets them. */
  deliver: (() => Promise<void>) | undefined
}

/** Web Locks for one process: exclusive, in order, with signals. */
export function createLocks(): TabLocks {
  const queues = new Map<string, Promise<unknown>>()
  const held = new Set<string>()
  return {
    async request(name, { signal }, work) {
      const before = queues.get(name) ?? Promise.resolve()
      let release = (): void => undefined
      const mine = new Promise<void>((resolve) => {
        release = resolve
      })
      queues.set(
        name,
        before.then(() => mine),
      )
      const aborted = new Promise((_, reject) =>
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true }),
      )
      aborted.catch(() => undefined)
      try {
        await Promise.race([before, aborted])
        held.add(name)
        return await work()
      } finally {
        held.delete(name)
        release()
      }
    },
    query: async () => ({ held: [...held].map((name) => ({ name })) }),
  }
}

/** Opens a browser on a server. */
export function openDevice(origin: Origin): Device {
  const jar = new Map<string, string>()
  const storage = new Map<string, string>()
  const timers = new Set<{ at: number; run: () => void }>()
  const locks = createLocks()
  const looks = new Set<(event: string) => void>()
  let skew = 0
  const id = Math.random()
  const device: Device = {
    get platform() {
      return platform
    },
    jar,
    storage,
    signedOut: [],
    offline: false,
    refusesCookies: false,
    tell: (event) => {
      for (const look of looks) look(event)
    },
    deliver: undefined,
    open: (options = {}) => {
      const client = createAuthClient({
        onSignedOut: (reason) => device.signedOut.push(reason),
        ...options,
        platform: { ...platform, ...options.platform },
      })
      onTestFinished(() => client.close())
      return client
    },
    async pass(seconds) {
      const end = origin.now + seconds
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
        if (next === undefined) break
        timers.delete(next)
        origin.now = Math.max(origin.now, next.at)
        next.run()
        await new Promise((resolve) => setImmediate(resolve))
      }
      origin.now = end
    },
    drift: (seconds) => {
      skew += seconds
    },
  }
  const cookies = (scripted: boolean): string =>
    [...jar]
      .filter(([name]) => !scripted || name.includes('csrf'))
      .map(([name, value]) => `${name}=${value}`)
      .join('; ')
  const platform: Partial<Platform> = {
    location: `${origin.url}/page`,
    now: () => origin.now + skew,
    after: (seconds, run) => {
      const timer = { at: origin.now + seconds, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    locks,
    open: (name) => {
      const channel = new BroadcastChannel(`${id} ${name}`)
      channel.unref()
      let closed = false
      let listener: ((event: { readonly data: unknown }) => void) | null = null
      channel.onmessage = async (event) => {
        await device.deliver?.()
        if (closed) return
        listener?.(event as { readonly data: unknown })
      }
      return {
        postMessage: (message) => channel.postMessage(message),
        close: () => {
          closed = true
          channel.close()
        },
        get onmessage() {
          return listener
        },
        set onmessage(next) {
          listener = next
        },
      }
    },
    watch: (look) => {
      looks.add(look)
      return () => looks.delete(look)
    },
    cookies: () => cookies(true),
    storage: () => ({
      getItem: (key) => storage.get(key) ?? null,
      setItem: (key, value) => storage.set(key, value),
      removeItem: (key) => storage.delete(key),
    }),
    async fetch(input, init) {
      const request = new Request(input, init)
      if (device.offline) throw new TypeError('fetch failed')
      if (new URL(request.url).origin === origin.url) {
        if (jar.size > 0 && request.credentials !== 'omit') request.headers.set('Cookie', cookies(false))
        request.headers.set('Sec-Fetch-Site', 'same-origin')
      }
      const response = await fetch(request)
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        if (device.refusesCookies) continue
        if (/; Max-Age=0(;|$)/.test(line)) jar.delete(name)
        else jar.set(name, value)
      }
      return response
    },
  }
  return device
}

/** A signed-in tab. */
export async function openSignedIn(device: Device, options: AuthClientOptions = {}): Promise<AuthClient> {
  const client = device.open(options)
  await client.login({ username: 'ada', password: 'right' })
  return client
}
