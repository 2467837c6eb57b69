/*
 * The token panel: the access token as it travels, in three colors, and below it what each part
 * says. After a refresh or a step-up the claims that differ from the token before are marked. The
 * signature is shown shortened: the page may be on a projector, and without it nobody can use the
 * token.
 */

import type { Json } from './api.ts'
import { type Child, element, find, replace, write } from './element.ts'
import { createLifeline } from './lifeline.ts'
import type { Session, Tokens } from './session.ts'
import { type DecodedToken, describe, entriesOf, explain, explainSignature, shorten } from './token.ts'

const PARTS = [
  { kind: 'header', name: 'Header', gist: 'how it is signed', sample: 'eyJh…' },
  {
    kind: 'claims',
    name: 'Claims',
    gist: 'what it says, readable by anyone who holds it',
    sample: 'eyJzdWIiOiJ0…',
  },
  { kind: 'signature', name: 'Signature', gist: 'proof that the server said it', sample: 'QgnwHr…' },
] as const
type Kind = (typeof PARTS)[number]['kind']

/** Wires #anatomy and the copy button. */
export function createAnatomy(session: Session): void {
  const root = find('anatomy', HTMLElement)
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
      'Sign in, and your token is taken apart here. It is three parts with dots between.',
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
        element('li', { class: part.kind }, element('strong', {}, part.name), ` ${part.gist}`),
      ),
    ),
    createLifeline(),
  ]
}

function describeTokens(tokens: Tokens, previous: Tokens | undefined): readonly Child[] {
  const token = tokens.accessToken
  if (!token) return [element('p', { class: 'lead' }, `An opaque token: ${shorten(tokens.access)}`)]
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
    { class: 'raw', 'aria-label': 'The access token as it travels' },
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
    element('h3', {}, part?.name ?? kind, element('span', { class: 'gist' }, ` ${part?.gist ?? ''}`)),
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
      'Lives longer and opens no route: it only gets the next access token.',
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
