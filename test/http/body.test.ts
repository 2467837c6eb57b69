import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { isAuthError } from '../../src/errors.ts'
import { BODY_LIMIT, parseBody, peekBody, readBody } from '../../src/http/body.ts'
import { codeOf } from './port.ts'

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'

describe('the media type', () => {
  it.each<[string | undefined, boolean]>([
    ['application/json', true],
    ['application/json; charset=utf-8', true],
    ['application/json;charset=UTF-8', true],
    [' Application/JSON ; x=y', true],
    ['application/ld+json', false],
    ['application/jsonx', false],
    ['text/json', false],
    ['text/plain; application/json', false],
    ['text/plain', false],
    ['multipart/form-data; boundary=x', false],
    ['', false],
    [undefined, false],
  ])('%j is read: %s', (contentType, read) => {
    expect(parseBody(contentType, '{"a":1}')).toEqual(read ? { a: 1 } : undefined)
  })

  it('of a form is read whatever its parameters', () => {
    expect(parseBody('Application/X-WWW-Form-Urlencoded; charset=utf-8', 'a=b&c=d+e%20f')).toEqual({
      a: 'b',
      c: 'd e f',
    })
  })
})

describe('JSON that says it is a form, as curl sends it', () => {
  it.each(['{"a":1}', ' {"a":"b=c&d"}\n'])('%j is request_invalid, and told so', (text) => {
    expect(() => parseBody(FORM_TYPE, text)).toThrow('Request body is JSON: send it as application/json')
  })

  it.each(['{', '{a=1}', '[1]', '{"a":1}=x'])('%j is a form', (text) => {
    expect(Object.keys(parseBody(FORM_TYPE, text) ?? {})).toHaveLength(1)
  })
})

describe('a body that is not read here', () => {
  it.each([
    [JSON_TYPE, String(BODY_LIMIT + 1)],
    ['text/plain', '3'],
    ['', '3'],
  ])('is not touched: %j of %s bytes', async (type, length) => {
    const request = new Request('http://localhost/', {
      method: 'POST',
      headers: { 'content-type': type, 'content-length': length },
      body: '{}',
    })
    const touched = vi.spyOn(request, 'body', 'get')
    await readBody(request).catch(() => undefined)
    expect(touched).not.toHaveBeenCalled()
  })
})

describe('a JSON body', () => {
  it.each(['{', '{"a":}', 'a=b', 'undefined', '{"a":1} x', '\ufeff\ufeff{}', ' '])(
    '%j is request_invalid',
    async (text) => {
      expect(await codeOf(() => parseBody(JSON_TYPE, text))).toBe('request_invalid')
    },
  )

  it.each(['null', '[]', '[{"a":1}]', '"a"', '1', 'true'])(
    'that is %s is request_invalid (LOG-01)',
    async (text) => {
      expect(await codeOf(() => parseBody(JSON_TYPE, text))).toBe('request_invalid')
    },
  )

  it('that is empty is no body', () => {
    expect(parseBody(JSON_TYPE, '')).toBeUndefined()
    expect(parseBody(FORM_TYPE, '')).toBeUndefined()
  })

  it('keeps values of every type for the callers to check', () => {
    expect(parseBody(JSON_TYPE, '{"username":{"$ne":null},"password":1}')).toEqual({
      username: { $ne: null },
      password: 1,
    })
  })

  it('says nothing of what it held', () => {
    try {
      parseBody(JSON_TYPE, '{"password": hunter2}')
      expect.unreachable()
    } catch (error) {
      const { message, cause } = error as Error
      expect(message).toBe('Request body is not valid JSON')
      expect(cause).toBeUndefined()
    }
  })

  it('nested 10 000 deep gives members or request_invalid', async () => {
    expect(['nothing', 'request_invalid']).toContain(
      await codeOf(() => parseBody(JSON_TYPE, `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`)),
    )
  })
})

describe('members', () => {
  it.each([
    [
      'JSON',
      JSON_TYPE,
      '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"username":"a"}',
    ],
    ['a form', FORM_TYPE, '__proto__=x&constructor=y&username=a'],
  ])('of %s touch no prototype (LOG-03)', (_, contentType, text) => {
    const members = parseBody(contentType, text) ?? {}
    expect(Object.getPrototypeOf(members)).toBeNull()
    expect(Object.keys(members)).toEqual(['constructor', 'username'])
    expect(members['admin']).toBeUndefined()
    expect(Object.getPrototypeOf(Object.assign({}, members))).toBe(Object.prototype)
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  it('of a form that come several times are a list', () => {
    expect(parseBody(FORM_TYPE, 'a=1&b=2&a=3&%61=4')).toEqual({ a: ['1', '3', '4'], b: '2' })
    expect(parseBody(FORM_TYPE, '__proto__=1&__proto__=2')).toEqual({})
  })

  it('come behind a byte order mark, too', () => {
    expect(parseBody(JSON_TYPE, '\ufeff{"a":1}')).toEqual({ a: 1 })
  })

  it('are members or request_invalid for any text', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.stringMatching(/^[a&=%+]*$/))
    fc.assert(
      fc.property(text, fc.constantFrom(JSON_TYPE, FORM_TYPE, 'text/plain'), (body, contentType) => {
        try {
          const members = parseBody(contentType, body)
          if (members !== undefined) expect(Object.getPrototypeOf(members)).toBeNull()
        } catch (error) {
          expect(isAuthError(error) && error.code).toBe('request_invalid')
        }
      }),
    )
  })
})

describe('reading a request', () => {
  type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null
  function toRequest(body: Body, headers: Record<string, string> = { 'content-type': JSON_TYPE }): Request {
    return new Request('http://a.example/', { method: 'POST', body, headers, duplex: 'half' } as RequestInit)
  }

  /** A JSON object of exactly so many bytes. */
  function jsonOf(size: number): string {
    return `{"a":"${'x'.repeat(size - 8)}"}`
  }

  it('gives the members', async () => {
    expect(await readBody(toRequest('{"a":"é"}'))).toEqual({ a: 'é' })
    expect(await readBody(toRequest('a=%C3%A9', { 'content-type': FORM_TYPE }))).toEqual({ a: 'é' })
  })

  it('gives nothing without a body', async () => {
    expect(await readBody(toRequest(null))).toBeUndefined()
    expect(await readBody(toRequest(''))).toBeUndefined()
    expect(await readBody(new Request('http://a.example/'))).toBeUndefined()
  })

  it('leaves another media type unread', async () => {
    const request = toRequest('hello', { 'content-type': 'text/plain' })
    expect(await readBody(request)).toBeUndefined()
    expect(await request.text()).toBe('hello')
  })

  it.each([
    [
      'multipart/form-data; boundary=x',
      undefined,
      /^multipart\/form-data is not read: send application\/json/,
    ],
    [JSON_TYPE, 'gzip', /^A compressed request body is not read$/],
  ])('says why it does not read %s, %s', async (type, encoding, message) => {
    const headers = { 'content-type': type, ...(encoding && { 'content-encoding': encoding }) }
    await expect(readBody(toRequest('x', headers))).rejects.toThrow(message)
  })

  it.each([
    ['compressed', '{"a":1}', { 'content-encoding': 'gzip' }],
    ['too large', '{"a":1}', { 'content-length': '9999999' }],
  ])('peeks at no body that is %s, and leaves it whole', async (_, body, headers) => {
    const request = toRequest(body, { 'content-type': JSON_TYPE, ...headers })
    expect(await peekBody(request)).toBeUndefined()
    expect(await request.text()).toBe(body)
  })

  it('peeks at any JSON value', async () => {
    for (const value of ['[1]', '5', 'null', '"x"'])
      expect(await peekBody(toRequest(value))).toEqual(JSON.parse(value))
  })

  it('leaves a body to others when it only peeks', async () => {
    const request = toRequest('{"a":1}')
    expect(await peekBody(request)).toEqual({ a: 1 })
    expect(await request.json()).toEqual({ a: 1 })
  })

  it('peeks at no body that the platform has read behind the request, and refuses it on our routes', async () => {
    const disturbed = () => {
      throw new TypeError('Response body object should not be disturbed or locked')
    }
    for (const members of [['bodyUsed', 'body', 'clone'], ['bodyUsed', 'clone'], ['clone']]) {
      const request = toRequest('{"a":1}')
      for (const name of members)
        Object.defineProperty(request, name, name === 'clone' ? { value: disturbed } : { get: disturbed })
      expect(await peekBody(request)).toBeUndefined()
    }
    const request = toRequest('{"a":1}')
    Object.defineProperty(request, 'bodyUsed', { get: disturbed })
    await expect(readBody(request)).rejects.toMatchObject({ code: 'request_invalid' })
  })

  it('peeks at no body of another media type, nor at one that is not there', async () => {
    const request = toRequest('hello', { 'content-type': 'text/plain' })
    const copy = vi.spyOn(request, 'clone')
    expect(await peekBody(request)).toBeUndefined()
    expect(copy).not.toHaveBeenCalled()
    expect(await peekBody(toRequest(null))).toBeUndefined()
  })

  it('takes 16 KiB and not a byte more', async () => {
    expect(BODY_LIMIT).toBe(16_384)
    expect(await readBody(toRequest(jsonOf(BODY_LIMIT)))).toHaveProperty('a')
    expect(await codeOf(() => readBody(toRequest(jsonOf(BODY_LIMIT + 1))))).toBe('request_invalid')
  })

  it('counts bytes, not characters', async () => {
    expect(await readBody(toRequest('{"a":"é"}'), 10)).toEqual({ a: 'é' })
    expect(await codeOf(() => readBody(toRequest('{"a":"é"}'), 9))).toBe('request_invalid')
  })

  it('believes a Content-Length that is too large', async () => {
    let pulled = 0
    const stream = new ReadableStream<Uint8Array>({ pull: () => void pulled++ }, { highWaterMark: 0 })
    const headers = { 'content-type': JSON_TYPE, 'content-length': '16385' }
    expect(await codeOf(() => readBody(toRequest(stream, headers)))).toBe('request_invalid')
    expect(pulled).toBe(0)
  })

  it('responds to an endless stream at once, and lets go of it after a mebibyte', async () => {
    let pulled = 0
    let cancelled = false
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++
        if (pulled > 1000) controller.error(new Error('nobody stopped it'))
        else controller.enqueue(new Uint8Array(65_536))
      },
      cancel() {
        cancelled = true
        return new Promise(() => undefined)
      },
    })
    expect(await codeOf(() => readBody(toRequest(stream)))).toBe('request_invalid')
    expect(pulled).toBeLessThan(5)
    await vi.waitFor(() => expect(cancelled).toBe(true))
    expect(pulled).toBeLessThan(30)
  })

  it.each<[string, (request: Request) => Promise<unknown>]>([
    ['used', (request) => request.text()],
    ['locked', async (request) => request.body?.getReader()],
    ['half read', async (request) => request.body?.getReader().read()],
  ])('refuses a body that is %s, without hanging', async (_, use) => {
    const request = toRequest('{"a":1}')
    await use(request)
    expect(await codeOf(() => readBody(request))).toBe('request_invalid')
    expect(await peekBody(request)).toBeUndefined()
  })

  it('refuses a body that breaks off', async () => {
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(Buffer.from('{"a":')),
      pull: (controller) => controller.error(new Error('socket hang up')),
    })
    expect(await codeOf(() => readBody(toRequest(stream)))).toBe('request_invalid')
  })

  it.each([
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['an encoded surrogate', Buffer.from('7b2261223a22eda08022' + '7d', 'hex')],
    ['UTF-16', Buffer.from('\ufeff{"a":1}', 'utf16le')],
  ])('refuses %s', async (_, bytes) => {
    expect(await codeOf(() => readBody(toRequest(new Uint8Array(bytes))))).toBe('request_invalid')
  })

  it('joins characters that the network cut in two', async () => {
    const bytes = Buffer.from('{"a":"é€😀"}')
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
        controller.close()
      },
    })
    expect(await readBody(toRequest(stream))).toEqual({ a: 'é€😀' })
  })

  it('gives members, nothing or request_invalid for any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 64 }),
        fc.constantFrom(JSON_TYPE, FORM_TYPE),
        async (bytes, contentType) => {
          const code = await codeOf(() =>
            readBody(toRequest(new Uint8Array(bytes), { 'content-type': contentType }), 32),
          )
          expect(['nothing', 'request_invalid']).toContain(code)
        },
      ),
    )
  })
})
