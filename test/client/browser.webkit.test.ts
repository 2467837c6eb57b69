/** The client in WebKitGTK. */

import { describeEngine } from './engines/suite.ts'
import { WEBKIT } from './engines/webkit.ts'

describeEngine(WEBKIT)
