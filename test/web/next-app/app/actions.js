'use server'
import { cookies } from 'next/headers'
import { redirect } from 'next/navigation'
import { auth, guard } from '../lib/auth.js'

export async function signIn() {
  const store = await cookies()
  const pair = await auth().sessions.start('alice', { fresh: true })
  for (const { name, value, options } of auth().cookieList(pair)) store.set(name, value, options)
}

export async function signOut() {
  const store = await cookies()
  const token = store.get(auth().http.cookies.refresh.name)?.value
  // A session that is over needs no end.
  if (token)
    await auth()
      .verifyToken(token, { type: 'refresh' })
      .then(auth().revoke, () => undefined)
  for (const { name, value, options } of auth().clearCookieList()) store.set(name, value, options)
}

export const whoAmI = guard.action(cookies)(async ({ sub }) => redirect(`/?sub=${sub}`))
