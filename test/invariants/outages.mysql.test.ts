/** S11 with a MariaDB of its own: only in the whole, as it takes its time to start. */
import { describeOutages } from './outages.ts'
import { PROVE } from './size.ts'

describeOutages('mysql', PROVE)
