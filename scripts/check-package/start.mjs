// Checks docs/start.md as a reader would use it: in an empty folder for each section, it runs the
// commands, starts the program and sends the requests. Only the name of the package is replaced, by
// that of the packed file.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { count, ROOT, run, write } from './project.mjs'

/** How long a program may take to listen, in milliseconds. */
const START = 20_000

/** The sections with a program: the commands to install, the program, to start it, to use it. */
function readSections() {
  const page = readFileSync(join(ROOT, 'docs/start.md'), 'utf8')
  return page.split(/^## /m).flatMap((section) => {
    const blocks = [...section.matchAll(/^```(?:sh|ts)\n([\s\S]*?)^```/gm)].map(([, code]) => code)
    const [install, program, start, requests] = blocks
    const title = section.slice(0, section.indexOf('\n'))
    return requests === undefined ? [] : [{ title, install, program, start, requests }]
  })
}

/** Runs a command of the page. */
function shell(cwd, text, env = {}) {
  return run(cwd, 'bash', ['-ec', text], env)
}

export async function checkStart(folder, tarball) {
  const sections = readSections()
  count('docs/start.md has its sections', sections.length === 5, sections.map(({ title }) => title).join())
  for (const { title, install, program, start, requests } of sections) {
    const home = join(folder, `start-${title.replaceAll(' ', '-')}`)
    mkdirSync(home)
    const flags = '--ignore-scripts --no-audit --no-fund --prefer-offline'
    const installed = shell(home, install.replace('install tokenwright', `install ${flags} ${tarball}`))
    if (!count(`${title}: installs`, installed.isRight, installed.output)) continue
    write(home, { 'server.mjs': program })
    await checkProgram(home, { title, start, requests })
  }
}

async function checkProgram(home, { title, start, requests }) {
  const child = spawn('bash', ['-ec', start], { cwd: home, detached: true })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes))
  try {
    const [login, me] = requests.trim().split('\n')
    const pair = await tryUntil(() => JSON.parse(shell(home, login).output))
    count(`${title}: logs in`, typeof pair?.access_token === 'string', output)
    const { output: body } = shell(home, me, { ACCESS_TOKEN: pair?.access_token ?? '' })
    count(`${title}: opens the protected route`, body === '{"sub":"user-1"}', body + output)
    const { output: refused } = shell(home, `${me} -o /dev/null -w '%{http_code}'`, { ACCESS_TOKEN: 'x' })
    count(`${title}: refuses another token`, refused === '401', refused + output)
  } finally {
    const ended = once(child, 'exit')
    process.kill(-child.pid, 'SIGKILL')
    await ended
  }
}

/** Tries until it works or the time is over. */
async function tryUntil(work) {
  for (const end = Date.now() + START; Date.now() < end; await pause(100)) {
    try {
      return work()
    } catch {
      // It does not listen yet.
    }
  }
  return null
}
