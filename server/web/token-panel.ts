/*
 * The token panel: the text of the access token in three colors, and below it what each part says.
 * After a refresh or a step-up, it marks the claims that have changed. It shortens the signature,
 * because the page may be on a projector, and without the signature the token is useless.
 */

import type { Json } from './api.ts'
import { type Child, element, find, replace, write } from './element.ts'
import type { Session, Tokens } from './session.ts'
import { createTimeline } from './timeline.ts'
import { type DecodedToken, describe, entriesOf, explain, explainSignature, shorten } from './token.ts'

const PARTS = [
  { kind: 'header', name: 'Header', summary: 'how it is signed', sample: 'eyJh…' },
  {
    kind: 'claims',
    name: 'Claims',
    summary: 'what it says, readable by anyone who holds it',
    sample: 'eyJzdWIiOiJ0…',
  },
  { kind: 'signature', name: 'Signature', summary: 'proves that the server made it', sample: 'QgnwHr…' },
] as const
type Kind = (typeof PARTS)[number]['kind']

/** Connects #token-panel and the copy button. */
export function createTokenPanel(session: Session): void {
  const root = find('token-panel', HTMLElement)
  const copy = find('copy', HTMLButtonElement)
  session.watch(() => {
    const { tokens, previous } = session
    copy.hidden = !tokens || !isSecureContext
    replace(root, ...(tokens ? describeTokens(tokens, previous) : describeNothing()))
  })
  copy.addEventListener('click', () => void copyToken(session.tokens?.access ?? '', copy))
}

function describeNothing(): readonly Child[] {
  return [
    element(
      'p',
      { class: 'lead' },
      'Sign in to see the parts of your token here. There are three, with dots between them.',
    ),
    element(
      'p',
      { class: 'sketch', 'aria-hidden': true },
      ...PARTS.map(({ kind, sample }) => element('span', { class: `sketch-${kind}` }, sample)),
    ),
    element(
      'ul',
      { class: 'legend' },
      ...PARTS.map((part) =>
        element('li', { class: part.kind }, element('strong', {}, part.name), ` ${part.summary}`),
      ),
    ),
    createTimeline(),
  ]
}

function describeTokens(tokens: Tokens, previous: Tokens | undefined): readonly Child[] {
  const token = tokens.accessToken
  if (!token)
    return [element('p', { class: 'lead' }, `A token that this page cannot read: ${shorten(tokens.access)}`)]
  return [
    createRaw(token),
    createPart('header', createClaims(token.header)),
    createPart('claims', createClaims(token.claims, previous?.accessToken?.claims)),
    createPart('signature', element('p', { class: 'explanation' }, explainSignature(token.header['alg']))),
    createRefreshToken(tokens, previous),
  ]
}

function createRaw(token: DecodedToken): HTMLElement {
  const [header, claims, signature] = token.segments
  return element(
    'p',
    { class: 'raw', 'aria-label': 'The text of the access token' },
    element('span', { class: 'header' }, header),
    '.',
    element('span', { class: 'claims' }, claims),
    '.',
    element('span', { class: 'signature' }, shorten(signature)),
  )
}

function createPart(kind: Kind, ...children: readonly Child[]): HTMLElement {
  const part = PARTS.find((row) => row.kind === kind)
  return element(
    'section',
    { class: `part ${kind}` },
    element('h3', {}, part?.name ?? kind, element('span', { class: 'summary' }, ` ${part?.summary ?? ''}`)),
    ...children,
  )
}

function createClaims(part: Json, before?: Json): HTMLElement {
  return element(
    'dl',
    { class: 'claims-list' },
    ...entriesOf(part).map(([name, value]) => createClaim(name, value, before)),
  )
}

function createClaim(name: string, value: unknown, before: Json | undefined): HTMLElement {
  const { text, time } = describe(name, value)
  const changed = before !== undefined && JSON.stringify(before[name]) !== JSON.stringify(value)
  return element(
    'div',
    {
      class: 'claim',
      'data-name': name,
      'data-value': typeof value === 'boolean' ? String(value) : undefined,
    },
    element('dt', {}, element('code', {}, name)),
    element(
      'dd',
      {},
      element('code', { class: 'value' }, name === 'csrf' ? shorten(text) : text),
      time && element('span', { class: 'time' }, time),
      changed && element('span', { class: 'changed' }, 'changed'),
      element('span', { class: 'explanation' }, explain(name)),
    ),
  )
}

function createRefreshToken(tokens: Tokens, previous: Tokens | undefined): HTMLElement {
  const token = tokens.refreshToken
  const exchanged = previous !== undefined && previous.refresh !== tokens.refresh
  return element(
    'details',
    { class: 'refresh-token' },
    element(
      'summary',
      {},
      element('span', {}, 'Refresh token'),
      ' ',
      element('code', {}, shorten(tokens.refresh)),
      exchanged && element('span', { class: 'changed' }, 'changed'),
    ),
    element(
      'p',
      { class: 'explanation' },
      'It lasts longer than the access token, and only gets new access tokens. No route accepts it.',
    ),
    token && createClaims(token.claims, previous?.refreshToken?.claims),
  )
}

async function copyToken(token: string, button: HTMLButtonElement): Promise<void> {
  const copied = await navigator.clipboard.writeText(token).then(
    () => true,
    () => false,
  )
  write(button, copied ? 'Copied' : 'Failed')
  setTimeout(() => write(button, 'Copy'), 2000)
}
