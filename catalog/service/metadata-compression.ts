import { constants as bufferLimits } from 'node:buffer';
import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import { LakeError } from '../../src/errors.ts';

const GZIP_MAGIC: readonly number[] = [0x1f, 0x8b];
const CODEC = 'write.metadata.compression-codec';

/** True if a table's metadata files are to be compressed; codecs that nobody reads everywhere are not taken up. */
export function isGzipped(properties: Readonly<Record<string, string>>): boolean {
  return properties[CODEC]?.toLowerCase() === 'gzip';
}

/** Fast rather than small: it is done at every commit. */
export function packed(json: Uint8Array): Promise<Uint8Array> {
  return promisify(gzip)(json, { level: constants.Z_BEST_SPEED });
}

/**
 * Metadata as JSON; gzip is told by its first bytes, whatever the file's name. Errors: `corrupt`.
 *
 * @param most bytes; what unpacks to more is damaged
 */
export async function unpacked(
  bytes: Uint8Array,
  location: string,
  most = bufferLimits.MAX_STRING_LENGTH,
): Promise<Uint8Array> {
  if (GZIP_MAGIC.some((byte, at) => bytes[at] !== byte)) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: most });
  } catch (cause) {
    throw new LakeError('corrupt', `The metadata file ${location} is damaged: it does not unpack`, {
      where: location,
      hint: 'Bring the file back from a backup.',
      cause,
    });
  }
}
