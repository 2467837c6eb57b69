/** The store suite: the tests that a session store of Tokenwright must pass. */
export { type OpenStore, type Runner, storeSuite } from './store-suite.ts'
