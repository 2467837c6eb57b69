import { startGrouped } from './clusters.ts'
import { describePromotions } from './promotions.ts'

describePromotions('Redis Cluster', startGrouped)
