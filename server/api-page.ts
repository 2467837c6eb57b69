/**
 * The API page: the description of the API as one page of markup, in the clothes of the web page.
 * It is written at the start and needs no script to be read; `web/api-page.ts` sends requests.
 */
import { exampleOf, findSchema, type Schema, typeOf } from './api-schema.ts'
import { html, type Markup } from './html.ts'
import type { Json } from './schemas.ts'

interface Content {
  readonly schema?: Schema
}

interface Response {
  readonly description: string
  readonly content?: Readonly<Record<string, Content>>
}

interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly security: readonly Readonly<Record<string, unknown>>[]
  readonly parameters?: readonly { readonly name: string }[]
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, Content>> }
  readonly responses: Readonly<Record<string, Response>>
}

interface Api {
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** An operation with its place. */
interface Entry extends Operation {
  readonly method: string
  readonly path: string
}

/** What each security scheme means. A test compares it with the description. */
export const SCHEMES: Readonly<Record<string, string>> = {
  accessToken: 'an access token in the Authorization header',
  refreshToken: 'a refresh token in the Authorization header',
  accessCookie: 'the access cookie',
  refreshCookie: 'the refresh cookie',
  csrfHeader: 'the X-CSRF-Token header',
}
const ORIGIN = 'http://localhost:8000'

/** Writes the page. @param openapi the API's description */
export function writeApiPage(openapi: Json): string {
  const api = openapi as unknown as Api
  const entries = Object.entries(api.paths ?? {}).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ ...operation, method, path })),
  )
  const groups = (api.tags ?? []).map((tag) => ({
    ...tag,
    entries: entries.filter(({ tags }) => tags.includes(tag.name)),
  }))
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Tokenwright API</title>
    <meta name="description" content="Every route of the Tokenwright reference server: what it needs, how it responds, and how to call it." />
    <meta name="color-scheme" content="light dark" />
    <link rel="icon" href="/assets/mark.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/assets/base.css" />
    <link rel="stylesheet" href="/assets/api-page.css" />
    <script type="module" src="/assets/api-page.js"></script>
  </head>
  <body>
    <a class="skip" href="#main">Skip to content</a>
    <header class="masthead">
      <a class="brand" href="/"><img src="/assets/mark.svg" width="24" height="24" alt="" />Tokenwright</a>
      <nav class="links" aria-label="Pages">
        <a href="/">Home</a>
        <a href="/docs" aria-current="page">API</a>
        <a href="/healthz">Health</a>
      </nav>
    </header>
    <div class="api">
      <nav class="contents" aria-label="Routes">${groups.map(({ name, entries }) => writeContents(name, entries))}</nav>
      <main id="main" tabindex="-1">
        <h1>API</h1>
        <p class="lede">
          Every route of this server. Press <strong>Send</strong> to try one: sign in first, and your browser keeps the
          cookies. The same as a document: <a href="/openapi.json">OpenAPI 3.1</a>.
        </p>
        ${groups.map(
          ({ name, description, entries }) => html`<section class="group" aria-labelledby="${toId(name)}">
          <h2 id="${toId(name)}">${name}</h2>
          <p class="group-about">${writeText(description)}</p>
          ${entries.map((entry) => writeOperation(entry, api))}
        </section>`,
        )}
      </main>
    </div>
    <footer class="footer">
      <p>The routes below <code>/auth</code> come from <code>authRoutes</code> of <code>tokenwright/routes</code>.</p>
      <p><a href="/">Home</a> <a href="/openapi.json">OpenAPI</a> <a href="/healthz">Health</a></p>
    </footer>
  </body>
</html>
`.text
}

function writeContents(name: string, entries: readonly Entry[]): Markup {
  return html`<p><a href="#${toId(name)}">${name}</a></p>
        <ul>${entries.map(
          ({ operationId, method, path }) =>
            html`<li><a href="#${operationId}">${writeMethod(method)}<span>${path}</span></a></li>`,
        )}</ul>`
}

function writeOperation(entry: Entry, api: Api): Markup {
  const { operationId, method, path, summary, requestBody, responses } = entry
  const body = findSchema(requestBody?.content['application/json']?.schema, api.components.schemas)
  const response = findSchema(responses['200']?.content?.['application/json']?.schema, api.components.schemas)
  return html`<article class="operation" id="${operationId}" aria-labelledby="${operationId}-title">
            <div class="about">
              <h3 id="${operationId}-title">${writeMethod(method)} <code class="operation-path">${path}</code></h3>
              <p>${writeText(summary)}</p>
              <p class="needs"><strong>Needs</strong> ${describeSecurity(entry.security)}.</p>
              ${body && writeFields(body, requestBody?.required === true, api)}
              ${writeResponses(responses)}
            </div>
            <div class="trial">
              ${writeCode('Request', `Request of ${operationId}`, toCurl(entry, body && exampleOf(withoutOptional(body), api.components.schemas)))}
              ${(response || responses['204']) && writeTrial(entry, body, api)}
              ${writeCode('Example response', `Response of ${operationId}`, response ? toJson(exampleOf(response, api.components.schemas)) : describeEmpty(responses))}
            </div>
          </article>`
}

/** A text whose code stands between backticks. */
function writeText(text = ''): Markup {
  return html`${text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : html`${part}`))}`
}

function writeMethod(method: string): Markup {
  return html`<span class="method" data-method="${method}">${method.toUpperCase()}</span>`
}

function writeFields(schema: Schema, isRequired: boolean, { components }: Api): Markup {
  const rows = Object.entries(schema.properties ?? {}).map(([name, given]) => {
    const field = findSchema(given, components.schemas) ?? {}
    const isOptional = !isRequired || !schema.required?.includes(name)
    return html`<div><dt><code>${name}</code></dt><dd><span class="type">${typeOf(field)}${isOptional && ', optional'}</span> ${writeText(field.description)}</dd></div>`
  })
  return html`<h4>Body</h4>
              <dl class="members">${rows}</dl>`
}

function writeResponses(responses: Entry['responses']): Markup {
  const rows = Object.entries(responses).map(([status, { description }]) => {
    const isError = Number(status) >= 400 && /^[a-z_]+(?:, [a-z_]+)*$/.test(description)
    const said = isError
      ? html`${description.split(', ').map((code) => html`<code class="error-code">${code}</code> `)}`
      : writeText(description)
    return html`<div><dt>${status === 'default' ? 'other' : status}</dt><dd>${said}</dd></div>`
  })
  return html`<h4>Responses</h4>
              <dl class="members responses">${rows}</dl>`
}

/** @param name what it is, unlike any other of the page */
function writeCode(title: string, name: string, code: string): Markup {
  return html`<div class="code">
                <div class="code-head"><p class="code-name">${title}</p><button type="button" class="copy" aria-label="Copy: ${name}">Copy</button></div>
                <pre tabindex="0" role="region" aria-label="${name}"><code>${code}</code></pre>
              </div>`
}

/** The form that sends the request. The response takes the place of the example. */
function writeTrial(
  { operationId, method, path, parameters, requestBody }: Entry,
  body: Schema | undefined,
  api: Api,
): Markup {
  const example = body && { ...(exampleOf(body, api.components.schemas) as Json) }
  // In cookies, the tokens of the sign-in are there for the next request.
  if (example && 'delivery' in example) example['delivery'] = 'cookie'
  const text = requestBody?.required ? toJson(example) : ''
  return html`<form class="send" data-method="${method.toUpperCase()}" data-path="${path}">
                ${(parameters ?? []).map(({ name }) => html`<label class="field"><span>${name}</span><input name="${name}" autocomplete="off" /></label>`)}
                ${body && html`<label class="field"><span>Body</span><textarea name="body" id="${operationId}-body" rows="${Math.max(2, text.split('\n').length)}" spellcheck="false">${text}</textarea></label>`}
                <button type="submit" class="button small">Send</button>
              </form>`
}

function describeSecurity(security: Entry['security']): string {
  const ways = security.map((way) => {
    const names = Object.keys(way).map((scheme) => SCHEMES[scheme] ?? scheme)
    return names.join(' and ') || 'no token'
  })
  return ways.length === 0 ? 'no token' : ways.join(', or ')
}

function describeEmpty(responses: Entry['responses']): string {
  const [status = '200', response] = Object.entries(responses)[0] ?? []
  return `${status} ${response?.description ?? ''}, without a JSON body`
}

function toCurl({ method, path, security }: Entry, body: unknown): string {
  const lines = [`curl ${method === 'get' ? '' : `-X ${method.toUpperCase()} `}${ORIGIN}${path}`]
  const token = security.flatMap((way) => Object.keys(way)).find((scheme) => scheme.endsWith('Token'))
  if (token) lines.push(`-H "authorization: Bearer $${token === 'accessToken' ? 'ACCESS' : 'REFRESH'}_TOKEN"`)
  if (body && token !== 'refreshToken') {
    lines.push("-H 'content-type: application/json'", `-d '${JSON.stringify(body)}'`)
  }
  return lines.join(' \\\n  ')
}

/** The members that a request must have. */
function withoutOptional({ properties = {}, required = [], ...schema }: Schema): Schema {
  const kept = Object.entries(properties).filter(([name]) => required.includes(name))
  return { ...schema, properties: Object.fromEntries(kept) }
}

function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2)
}

function toId(name: string): string {
  return `group-${name.toLowerCase()}`
}
