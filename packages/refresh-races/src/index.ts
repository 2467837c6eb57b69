/**
 * The race simulator: runs users with racing tabs and thieves with copied tokens against any
 * refresh endpoint.
 */
export {
  type HttpEndpointOptions,
  type RaceTokens,
  type RefreshEndpoint,
  toHttpEndpoint,
} from './endpoint.ts'
export { formatRaces, type RaceReport, type ThiefReport } from './report.ts'
export { type Clock, type RaceOptions, simulateRaces } from './simulator.ts'
export type { NetworkConditions } from './victim.ts'
