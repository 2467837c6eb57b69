/**
 * Entry point `tokenwright/testing`: requests that act as a user, for the tests of an application.
 * Not for production; it needs Node and no test runner in particular.
 */
export { type ActingOptions, type Actor, actingAs } from './testing/acting-as.ts'
