import { describe, expect, it } from 'vitest'
import { toRequestPort } from '../../src/http/request-port.ts'
import { toPort } from './port.ts'

describe('the port of a fetch request', () => {
  const request = new Request('https://a.example/b?c=d', {
    method: 'post',
    body: '{"access_token":"t"}',
    headers: { 'Content-Type': 'application/json', 'X-Twice': 'a' },
  })

  it('says what the request says', () => {
    const port = toRequestPort(request)
    expect(port.method).toBe('POST')
    expect(port.url).toBe('https://a.example/b?c=d')
    expect(port.header('x-twice')).toBe('a')
    expect(port.header('authorization')).toBeUndefined()
  })

  it('reads the body and leaves it to the handler', async () => {
    expect(await toRequestPort(request).body?.()).toEqual({ access_token: 't' })
    expect(await request.text()).toBe('{"access_token":"t"}')
    expect(await toRequestPort(request).body?.()).toBeUndefined()
  })

  it('is a port that is given', () => {
    const port = toPort({})
    expect(toRequestPort(port)).toBe(port)
  })
})
