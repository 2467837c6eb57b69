/** A page that is sent in two parts, and asks its own server meanwhile. */
export async function load({ fetch }) {
  const ask = async () => (await fetch('/api/me')).text()
  return { now: await ask(), later: new Promise((resolve) => setTimeout(resolve, 20)).then(ask) }
}
