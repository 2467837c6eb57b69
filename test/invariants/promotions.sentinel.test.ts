import { describePromotions } from './promotions.ts'
import { startWatched } from './sentinels.ts'

describePromotions('Redis Sentinel', startWatched)
