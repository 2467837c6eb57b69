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
  for (const { name, value, options } of auth().clearCookieList()) store.set(name, value, options)
}

export const whoAmI = guard.action(cookies)(async ({ sub }) => redirect(`/?sub=${sub}`))
