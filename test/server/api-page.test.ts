/** The API page: it shows all of the description, sends requests, and keeps to its looks. */
import { describe, expect, it } from 'vitest'
import { SCHEMES, writeApiPage } from '../../server/api-page.ts'
import { exampleOf, type Schema } from '../../server/api-schema.ts'
import { html } from '../../server/html.ts'
import { describeApi } from '../../server/openapi.ts'
import { CHROMIUM, findViolations, overflowOf, shiftOf, useBrowser } from './browser.ts'
import { startServer } from './process.ts'

interface Api {
  readonly paths: Record<string, Record<string, { operationId: string; summary: string }>>
  readonly components: { securitySchemes: object; schemas: Record<string, Schema> }
}

const api = describeApi() as unknown as Api
const page = writeApiPage(describeApi())

describe('the markup of the API page', () => {
  it('has every operation once', () => {
    const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => ({ path, method, operationId })),
    )
    expect(operations.length).toBeGreaterThan(15)
    const shown = [...page.matchAll(/<article class="operation" id="(\w+)"/g)].map((match) => match[1])
    expect(shown.toSorted()).toEqual(operations.map(({ operationId }) => operationId).toSorted())
    for (const { path, operationId } of operations) {
      expect(page).toContain(`href="#${operationId}"`)
      expect(page).toContain(`<code class="operation-path">${path}</code>`)
    }
  })

  it('names every security scheme in words', () => {
    expect(Object.keys(SCHEMES).toSorted()).toEqual(Object.keys(api.components.securitySchemes).toSorted())
  })

  it('has an example of every schema, with all its members', () => {
    for (const schema of Object.values(api.components.schemas)) {
      if (!schema.properties) continue
      const example = exampleOf(schema, api.components.schemas) as object
      expect(Object.keys(example)).toEqual(Object.keys(schema.properties))
    }
  })

  it('escapes what the description says', () => {
    const hostile = '<script>alert("1")</script>&\''
    const escaped = '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;'
    expect(html`<p title="${hostile}">${[html`${hostile}`]}</p>`.text).toBe(
      `<p title="${escaped}">${escaped}</p>`,
    )
    const described = { ...describeApi(), tags: [{ name: 'Demo', description: hostile }] }
    expect(writeApiPage(described)).toContain(`<p class="group-about">${escaped}</p>`)
  })
})

describe.runIf(CHROMIUM !== undefined)('the API page', () => {
  const open = useBrowser()
  const send = (operation: string) => `#${operation} form.send button`
  const response = (operation: string, text: string) =>
    `#${operation} .send + .code:has(.code-name:has-text("Response")):has-text(${JSON.stringify(text)})`

  it('sends requests as a page does, by cookie and with the CSRF value', async () => {
    const { url } = await startServer()
    const { page, errors } = await open(`${url}/docs`)
    await page.click(send('protected'))
    await page.waitForSelector(response('protected', 'token_missing'))
    await page.click(send('login'))
    await page.waitForSelector(response('login', 'csrf_token'))
    await page.click(send('protected'))
    await page.waitForSelector(response('protected', 'You have access'))
    await page.fill('#changePassword-body', '{"new_password":"correct horse"}')
    await page.click(send('changePassword'))
    await page.waitForSelector(response('changePassword', 'Password changed'))
    await page.fill('#endSession input[name="id"]', 'none/such')
    await page.click(send('endSession'))
    await page.waitForSelector(response('endSession', '404'))
    await page.click(send('logout'))
    await page.waitForSelector(response('logout', '204'))
    expect(await page.context().cookies()).toEqual([])
    expect(errors.filter((error) => !error.includes('404'))).toEqual([])
  })

  it.each([
    [390, 844],
    [820, 1180],
    [1280, 800],
  ])('neither moves nor is wider at %d px', async (width, height) => {
    const { url } = await startServer()
    const { page } = await open(`${url}/docs`, { viewport: { width, height } })
    await page.waitForSelector(`#login pre:has-text("${url}")`)
    expect(await overflowOf(page)).toBe(0)
    expect(await shiftOf(page)).toBeLessThan(0.02)
  })

  it.each(['light', 'dark'] as const)('has nothing that axe objects to, in %s', async (colorScheme) => {
    const { url } = await startServer()
    const { page } = await open(`${url}/docs`, { colorScheme, bypassCSP: true })
    expect(await findViolations(page)).toEqual([])
    await page.click(send('login'))
    await page.waitForSelector(response('login', 'csrf_token'))
    expect(await findViolations(page)).toEqual([])
  })
})
