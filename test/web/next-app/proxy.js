import { NextResponse } from 'next/server'
import { guard } from './lib/auth.js'

export const proxy = guard.proxy((request) => {
  const response = NextResponse.next()
  response.headers.set('x-path', request.nextUrl.pathname)
  return response
})
export const config = { matcher: ['/((?!_next/|auth/|api/).*)'] }
