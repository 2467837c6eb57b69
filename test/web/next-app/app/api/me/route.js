import { guard } from '../../../lib/auth.js'

export const GET = guard.access()((_request, { sub }) => Response.json({ sub }))
