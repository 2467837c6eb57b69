import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const execute = promisify(execFile)

/** Small pages for young objects: the garbage collector comes often, and so at the wrong moment too. */
const OFTEN = '--max-semi-space-size=1'

const PREPARE = `
  import { generateKeyPairSync } from 'node:crypto'
  import { createKeyRing, generateKey } from 'tokenwright'
  const own = () => generateKey('EdDSA')
  const make = (half) => ({ alg: 'EdDSA', key: generateKeyPairSync('ed25519')[half] })
  const given = () => createKeyRing({ signing: make('privateKey') })
  const verifying = () => createKeyRing({ verifying: [make('publicKey')] })
`

// Without the copies in keys.ts, on Node 20: the first two hung in 8 of 10 runs each, the third in 3 of 3.
describe('a key that was just generated', () => {
  it.each([
    ['generateKey', 'own'],
    ['createKeyRing, given a private key', 'given'],
    ['createKeyRing, given a public key', 'verifying'],
  ])(
    'does not hang when the garbage collector comes: %s',
    async (_, make) => {
      const program = `${PREPARE} for (let i = 0; i < 8_000; i++) ${make}(); console.log('done')`
      const { stdout } = await execute(process.execPath, [OFTEN, '--input-type=module', '-e', program], {
        timeout: 60_000,
      })
      expect(stdout).toBe('done\n')
    },
    70_000,
  )
})
