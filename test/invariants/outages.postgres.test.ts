/** S11 with a server of postgres of its own. */
import { describeOutages } from './outages.ts'

describeOutages('postgres')
