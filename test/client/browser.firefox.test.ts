/** The client in Firefox. */
import { FIREFOX } from './engines/firefox.ts'
import { describeEngine } from './engines/suite.ts'

describeEngine(FIREFOX)
