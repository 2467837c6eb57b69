/** S11 with a MariaDB of its own. */
import { describeOutages } from './outages.ts'

describeOutages('mysql')
