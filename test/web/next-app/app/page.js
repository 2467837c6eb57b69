import { cookies } from 'next/headers'
import { guard } from '../lib/auth.js'
import { signIn, signOut, whoAmI } from './actions.js'

export default async function Page() {
  const visitor = await guard.currentToken(cookies())
  return (
    <main>
      <p id="visitor">{visitor === null ? 'stranger' : visitor.sub}</p>
      <form action={signIn}>
        <button type="submit" id="in">
          Sign in
        </button>
      </form>
      <form action={whoAmI}>
        <button type="submit" id="who">
          Who
        </button>
      </form>
      <form action={signOut}>
        <button type="submit" id="out">
          Sign out
        </button>
      </form>
    </main>
  )
}
