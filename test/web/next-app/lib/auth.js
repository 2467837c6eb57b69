import { createAuth } from 'tokenwright'
import { guards, lazyAuth } from 'tokenwright/next'
import { memoryStore } from 'tokenwright/stores/memory'

globalThis.sessionStore ??= memoryStore()

export const auth = lazyAuth(() =>
  createAuth({
    secret: process.env.AUTH_SECRET,
    locations: ['cookie'],
    sessions: { store: globalThis.sessionStore },
  }),
)
export const guard = guards(auth)
