/**
 * Store suite: strings come back unchanged, and similar subjects stay distinct. Some databases fold
 * case, accents and trailing spaces, cut at U+0000, or replace invalid UTF-8. Each of these would
 * give one user's sessions to another.
 */
import { deepStrictEqual, strictEqual } from 'node:assert'
import {
  assertRow,
  begin,
  type Cases,
  end,
  LENGTHS,
  randomId,
  readOn,
  toCall,
  toNewSession,
  toTail,
} from './fixtures.ts'

const { logTtl } = LENGTHS

/** Names that some databases or encodings confuse. */
const LOOKALIKES: readonly string[] = [
  'alice',
  'Alice',
  'ALICE',
  'alice ',
  ' alice',
  'alice\t',
  'alice\n',
  '\u00e1lice',
  'a\u0301lice',
  '\uff41lice',
  'al\u0131ce',
  'alice\u200b',
  'alice\u0000',
  'alice\u0000x',
  'alice\ud83d\ude00',
  'alice\ud83d\ude01',
  'stra\u00dfe',
  'strasse',
  "alice'",
  'alice"',
  'alice\\',
  'alice%',
  'alic_',
  'alice:1',
  'alice{1}',
  '0x61',
  '',
]

/** Strings that are not valid Unicode. A store may refuse them, but must not confuse them. */
const LONE_SURROGATES: readonly string[] = ['alice\ud800', 'alice\ud801', 'alice\udc00', 'alice\ufffd']

/** Subjects are compared by their exact code units. */
export const SUBJECTS: Cases = {
  'distinguishes similar subjects: in lists, cut-offs, the log and when ending all': async (store) => {
    const prefix = randomId()
    const subs = LOOKALIKES.map((name) => prefix + name)
    const rows = new Map<string, string>()
    for (const sub of subs) rows.set(sub, (await begin(store, null, { sub })).sid)
    const all = { logTtl, now: null, except: null, cutOff: 600 }
    const provedAt = (await store.now()) - 1
    const mine = new Set([...subs, ...rows.values()])
    let cursor = await toTail(store)
    for (const [index, sub] of subs.entries()) {
      const name = JSON.stringify(sub)
      const listed = await store.list({ sub, realm: null }, null)
      deepStrictEqual(
        listed.map((row) => [row.sid, row.sub]),
        [[rows.get(sub), sub]],
        name,
      )
      strictEqual(await store.endAll({ sub, realm: null }, 'subject_revoked', all), 1, name)
      const page = await readOn(store, cursor)
      cursor = page.cursor
      const hits = page.entries.map(({ key }) => key).filter((key) => mine.has(key))
      deepStrictEqual(hits.toSorted(), [sub, rows.get(sub)].toSorted(), name)
      for (const [other, each] of subs.entries()) {
        const query = { sid: null, jti: null, sub: each, realm: null, iat: provedAt, now: null }
        if (Math.abs(other - index) < 4)
          strictEqual(await store.isRevoked(query), other <= index, `${name} ${other}`)
      }
      strictEqual(await store.start(toNewSession({ sub, provedAt }), null), null, name)
    }
  },

  'distinguishes lone surrogates, or refuses them': async (store) => {
    const prefix = randomId()
    for (const [index, name] of LONE_SURROGATES.entries()) {
      const sub = prefix + name
      const row = await store.start(toNewSession({ sub }), null).catch(() => null)
      if (row === null) continue
      strictEqual(row.sub, sub)
      strictEqual((await store.get(row.sid))?.sub, sub)
      const counts = []
      for (const each of LONE_SURROGATES)
        counts.push((await store.list({ sub: prefix + each, realm: null }, null)).length)
      deepStrictEqual(
        counts,
        LONE_SURROGATES.map((_, other) => Number(other === index)),
      )
      await end(store, row.sid, null)
    }
  },

  'distinguishes long subjects that differ only in their last character': async (store) => {
    const prefix = `https://idp.example/${'a'.repeat(420)}${randomId()}`
    for (const last of ['x', 'y']) await begin(store, null, { sub: prefix + last })
    strictEqual((await store.list({ sub: `${prefix}x`, realm: null }, null))[0]?.sub, `${prefix}x`)
    strictEqual((await store.list({ sub: prefix, realm: null }, null)).length, 0)
    const call = { logTtl, now: null, except: null, cutOff: null }
    strictEqual(await store.endAll({ sub: `${prefix}y`, realm: null }, 'subject_revoked', call), 1)
    strictEqual((await store.list({ sub: `${prefix}x`, realm: null }, null)).length, 1)
  },
}

/** Plain JSON of all kinds. */
const DATA = {
  text: 'Zażółć gęślą jaźń \ud83d\udc69\u200d\ud83d\udc69\u200d\ud83d\udc67 \u0000 \u2028 \ud800 " \\ </script>',
  numbers: [0, -1, 0.1, 1e21, -1.5e-7, Number.MAX_SAFE_INTEGER, Number.MIN_VALUE],
  truth: [true, false, null],
  empty: [{}, [], ''],
  nested: { a: { b: { c: { d: [{ e: [[['deep']]] }] } } } },
  constructor: 'an ordinary name',
  '': 'no name',
  'a.b $c': { 'd:e': 1 },
}

/** Stored values come back unchanged. */
export const TEXTS: Cases = {
  'returns plain JSON unchanged, from every method': async (store) => {
    const { sid, sub } = await begin(store, null, { data: DATA })
    const proof = { sid, authTime: 1, acr: null, amr: null, notAfter: null, now: null }
    const rows = [
      await store.get(sid),
      (await store.rotate(toCall(sid, 0))).row,
      (await store.rotate(toCall(sid, 0))).row,
      (await store.stepUp(proof)).row,
      (await store.list({ sub, realm: null }, null))[0],
    ]
    for (const row of rows) deepStrictEqual(row?.data, DATA)
  },

  'returns as much data as fits into a token': async (store) => {
    const data = {
      a: '\u00e9'.repeat(4000),
      b: Array.from({ length: 1000 }, (_, i) => i),
      c: '\ud83d\ude00'.repeat(1000),
    }
    const { sid } = await begin(store, null, { data })
    deepStrictEqual((await store.get(sid))?.data, data)
  },

  'distinguishes null, the empty string and the empty list': async (store) => {
    const full = await begin(store, null, { realm: '', acr: '', amr: [], ip: '', userAgent: '', authTime: 0 })
    assertRow(await store.get(full.sid), full)
    deepStrictEqual(
      [full.realm, full.acr, full.amr, full.ip, full.userAgent, full.authTime],
      ['', '', [], '', '', 0],
    )
    const none = await begin(store, null)
    assertRow(await store.get(none.sid), none)
    deepStrictEqual(
      [none.realm, none.acr, none.amr, none.ip, none.userAgent, none.authTime],
      Array(6).fill(null),
    )
  },

  'returns strings with quotes, spaces, accents and emoji unchanged': async (store) => {
    const text = ' a\'b"c\\d \u00e9 \ud83d\ude00 %s {} $1 '
    const texts = {
      realm: text,
      acr: text,
      ip: text,
      userAgent: text,
      amr: [text, 'pwd'],
      scopes: [text, 'a:b', text],
    }
    const row = await begin(store, null, texts)
    assertRow(await store.get(row.sid), { ...row, ...texts })
  },

  'keeps an address of 64 characters and a user agent of 256': async (store) => {
    for (const letter of ['x', '\u00ff', '\u6f22']) {
      const texts = { ip: letter.repeat(64), userAgent: letter.repeat(256) }
      const row = await begin(store, null, texts)
      assertRow(await store.get(row.sid), { ...row, ...texts })
    }
  },

  'keeps the order of many scopes': async (store) => {
    const scopes = Array.from({ length: 100 }, (_, i) => `scope:${(i * 37) % 100}`)
    const { sid } = await begin(store, null, { scopes })
    deepStrictEqual((await store.get(sid))?.scopes, scopes)
  },

  'shares no object with its callers': async (store) => {
    const data = { list: [1] }
    const scopes = ['a']
    const { sid } = await begin(store, null, { data, scopes })
    data.list.push(2)
    scopes.push('b')
    const given = await store.get(sid)
    try {
      const { data: theirs, scopes: granted } = given as unknown as { data: typeof data; scopes: string[] }
      theirs.list.push(3)
      granted.push('c')
    } catch {
      // A frozen row throws, which is fine too.
    }
    const row = await store.get(sid)
    deepStrictEqual([row?.data, row?.scopes], [{ list: [1] }, ['a']])
  },
}
