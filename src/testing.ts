/**
 * Door `tokenwright/testing`: requests as somebody, what a store must do, and what a refresh endpoint must survive, for everybody's own
 * tests. Nothing here is for production; it needs Node and no test runner in particular.
 */
export type { ActingOptions, Actor } from './testing/acting-as.ts'
export { actingAs } from './testing/acting-as.ts'
export type { HttpEndpointOptions, RaceTokens, RefreshEndpoint } from './testing/endpoint.ts'
export { toHttpEndpoint } from './testing/endpoint.ts'
export type { RaceReport, ThiefReport } from './testing/report.ts'
export { formatRaces } from './testing/report.ts'
export type { RaceOptions } from './testing/simulator.ts'
export { simulateRaces } from './testing/simulator.ts'
export type { OpenStore, Runner } from './testing/store-suite.ts'
export { storeSuite } from './testing/store-suite.ts'
export type { NetworkConditions } from './testing/victim.ts'
