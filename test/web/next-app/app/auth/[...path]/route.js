import { routeHandlers } from 'tokenwright/next'
import { authRoutes } from 'tokenwright/routes'
import { auth } from '../../../lib/auth.js'

export const { GET, POST, DELETE } = routeHandlers(() =>
  authRoutes(auth(), {
    verifyCredentials: ({ username }) => ({ subject: username }),
    address: () => '192.0.2.1',
  }),
)
