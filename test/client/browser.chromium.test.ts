/** The client in Chromium. */
import { CHROMIUM } from './engines/chromium.ts'
import { describeEngine } from './engines/suite.ts'

describeEngine(CHROMIUM)
