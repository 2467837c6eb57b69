/** Plays the story of the front page, with the keyboard alone, as a reader would. */
import { open, openTab } from './browser.mjs'

const CALLS = [
  'POST /auth/login 200',
  'GET /posts 200',
  'POST /auth/refresh 200',
  'GET /posts 200',
  'POST /change-email 401 fresh_token_required',
  'POST /auth/verify-password 401 credentials_invalid',
  'POST /auth/verify-password 200',
  'POST /change-email 200',
  'POST /auth/logout 204',
]

export async function playStory(browser, origin) {
  const { page, problems, close } = await openTab(browser, origin)
  await open(page, `${origin}/`)
  const press = async (name) => {
    await page.getByRole('button', { name, exact: true }).focus()
    await page.keyboard.press('Enter')
  }
  const token = async (text) => page.locator('.token, .none').getByText(text, { exact: true }).waitFor()
  await press('Log in as Ada')
  await token('yes')
  await press('Call /posts')
  await press('Let 15 minutes pass')
  await token('expired')
  await press('Call /posts again')
  await token('no')
  await press('Change the email address')
  const password = page.getByLabel('Password')
  await password.waitFor()
  await page.keyboard.type('wrong')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').waitFor()
  await password.fill('lovelace')
  await page.keyboard.press('Enter')
  await token('yes')
  await press('Log out')
  await page.getByText('There is no token.').waitFor()
  const calls = await page.locator('.log li').allInnerTexts()
  const made = calls.map((text) => text.replace(/\s+/g, ' ').trim())
  await press('Tell it again')
  await page.getByRole('button', { name: 'Log in as Ada' }).waitFor()
  await close()
  // The browser reports no refusal of the stand-in: nothing of the story leaves the page.
  return [...problems, ...(made.join('\n') === CALLS.join('\n') ? [] : [`the calls were ${made.join(', ')}`])]
}
