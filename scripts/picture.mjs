// Writes docs/step-up.gif: a login, a refusal on the sensitive route, the step-up, the response,
// on the real page of the reference server, in Chromium. Run by hand: `npm run docs:picture`.
// The pictures differ in tokens and times, so that no test compares them.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import gifenc from 'gifenc'
import { chromium } from 'playwright-core'
import { PNG } from 'pngjs'

const { GIFEncoder, applyPalette, quantize } = gifenc
const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'tokenwright-picture-'))
const size = { width: 900, height: 620 }

/** Twice again after the first time: no motion without end. */
const REPEATS = 2

/** Starts the server on a free port. Returns its process and its address. */
async function startServer() {
  const main = join(root, 'server/dist/main.js')
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0' }
  const server = spawn(process.execPath, [main], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise((resolve, reject) => {
    let printed = ''
    server.stdout.setEncoding('utf8').on('data', (text) => {
      printed += text
      const address = /listens on (http:\/\/\S+)/.exec(printed)?.[1]
      if (address) resolve(address)
    })
    server.once('exit', () => reject(new Error(`the server ended before it listened: ${printed}`)))
  })
  return { server, url }
}

/** Walks through the page. Returns the frames, each with its time in milliseconds. */
async function takeFrames(page) {
  const frames = []
  const take = async (delay) => frames.push({ png: PNG.sync.read(await page.screenshot()), delay })
  const press = async (selector) => {
    await page.hover(selector)
    await take(1000)
    await page.click(selector)
  }

  await page.waitForSelector('#sign-in-button')
  await take(1500)
  await page.click('#sign-in-button')
  await page.waitForSelector('#account:not([hidden])')
  await take(1500)
  await press('[data-route="/auth/refresh"]')
  await page.waitForSelector('#clock[data-state="stale"]')
  await take(2000)
  await press('[data-route="/sensitive_operation"]')
  await page.waitForSelector('#step-up[open]')
  await take(2000)
  await page.fill('#step-up-password', 'test')
  await press('#step-up-confirm')
  await page.waitForSelector('#response:has-text("You have access to this sensitive operation")')
  await page.waitForSelector('#clock[data-state="fresh"]')
  await take(2000)
  return frames
}

/** One palette for all frames, so that what stays the same does not flicker. */
function encode(frames) {
  const all = Buffer.concat(frames.map(({ png }) => png.data))
  const palette = quantize(all, 64)
  const gif = GIFEncoder()
  for (const { png, delay } of frames) {
    const pixels = applyPalette(png.data, palette)
    gif.writeFrame(pixels, png.width, png.height, { palette, delay, repeat: REPEATS })
  }
  gif.finish()
  return gif.bytes()
}

const { server, url } = await startServer()
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
try {
  const page = await browser.newPage({ viewport: size, reducedMotion: 'reduce', colorScheme: 'light' })
  await page.goto(url)
  const frames = await takeFrames(page)
  const bytes = encode(frames)
  writeFileSync(join(root, 'docs/step-up.gif'), bytes)
  console.log(`docs/step-up.gif: ${frames.length} frames, ${Math.round(bytes.length / 1000)} kB`)
} finally {
  await browser.close()
  server.kill('SIGTERM')
  rmSync(folder, { recursive: true, force: true })
}
