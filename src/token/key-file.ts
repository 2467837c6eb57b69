/** Reads a key file. Node's file system is loaded only then: other runtimes have none. */
import { ConfigurationError } from '../internal/configuration-error.ts'

/** The longest file that is read, in bytes. */
const MAX_BYTES = 1_048_576

/**
 * Reads the text of a key file.
 *
 * @throws {ConfigurationError} for a file of over 1 MiB; otherwise the error of the platform
 */
export async function readKeyFile(path: string | URL): Promise<string> {
  const { open } = await import('node:fs/promises')
  const file = await open(path)
  try {
    const { size } = await file.stat()
    if (size > MAX_BYTES)
      throw new ConfigurationError(`Expected the key file to have at most ${MAX_BYTES} bytes, got ${size}`)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}
