/** Reads and writes key files. Node's file system is loaded only then: other runtimes have none. */
import { ConfigurationError } from '../internal/configuration-error.ts'

/** The longest file that is read, in bytes. */
const MAX_BYTES = 1_048_576

/**
 * Reads the text of a key file.
 *
 * @throws {ConfigurationError} for a file of over 1 MiB, and for what is no regular file, such as a
 *   pipe; otherwise the error of the platform
 */
export async function readKeyFile(path: string | URL): Promise<string> {
  const { constants, open } = await import('node:fs/promises')
  // Otherwise a pipe that has no writer keeps a thread of the process for good. Windows has no such
  // flag.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    if (!(await file.stat()).isFile())
      throw new ConfigurationError(
        'Expected the key file to be a regular file, got a folder, a pipe or a device',
      )
    const bytes = Buffer.alloc(MAX_BYTES + 1)
    let size = 0
    // The size that a file says it has is not always the one that is read.
    for (;;) {
      const { bytesRead } = await file.read(bytes, size, bytes.length - size, null)
      if (bytesRead === 0) break
      size += bytesRead
    }
    if (size > MAX_BYTES)
      throw new ConfigurationError(`Expected the key file to have at most ${MAX_BYTES} bytes, got more`)
    return bytes.toString('utf8', 0, size)
  } finally {
    await file.close()
  }
}

/**
 * Writes a key file, which only its owner can read: whole or not at all, as processes read it while
 * it is written.
 *
 * @throws {ConfigurationError} where another process writes it
 */
export async function writeKeyFile(path: string, text: string): Promise<void> {
  const { open, realpath, rename, unlink } = await import('node:fs/promises')
  // A link to the file stays one.
  const target = await realpath(path).catch(() => path)
  const temporary = `${target}.new`
  const file = await open(temporary, 'wx', 0o600).catch((error: { code?: string }) => {
    if (error.code !== 'EEXIST') throw error
    throw new ConfigurationError(
      `Expected no file ${temporary}: another process writes the keys, or was ended while it did; then delete it`,
    )
  })
  try {
    await file.writeFile(text)
    // A key that was used and is lost in a power failure would sign out its users.
    await file.sync()
    await file.close()
    await rename(temporary, target)
  } catch (error) {
    await unlink(temporary)
    throw error
  }
}
