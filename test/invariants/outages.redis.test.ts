/** S11 with a server of redis of its own. */
import { describeOutages } from './outages.ts'

describeOutages('redis')
