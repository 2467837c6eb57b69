/**
 * What becomes of work that a request has begun and that is not over when the request is. Servers
 * go on with it. In Workers it ends without a word, with its timers and connections: its promises
 * stay pending, and whoever waits for one in another request waits without limit.
 */

/** Whether work outlives the request that has begun it, so that other requests may wait for it. */
export const OUTLIVES_REQUESTS: boolean =
  (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent !== 'Cloudflare-Workers'
