import { crc32 } from 'node:zlib';
import { isKind, LakeError } from '../errors.ts';
import type { CopyOptions, ObjectStore } from '../storage/object-store.ts';

/**
 * Copies an object and proves the copy by size and checksum before anything may name it. A copy that an
 * interrupted run left is taken over if it is whole, and made anew if not. Errors: `corrupt`, those of the store.
 */
export async function copyVerified(
  objects: ObjectStore,
  from: string,
  to: string,
  options: CopyOptions = {},
): Promise<void> {
  if (await objects.exists(to)) {
    if (await isSame(objects, from, to)) return;
    await objects.delete([to]);
  }
  try {
    await objects.copy(from, to, options);
  } catch (error) {
    // The answer to a first try was lost: what is there is checked below.
    if (!isKind(error, 'already-exists')) throw error;
  }
  if (await isSame(objects, from, to)) return;
  throw new LakeError('corrupt', 'a copy is not the same as what was copied', {
    where: to,
    hint: `nothing names the copy yet and ${from} is unharmed; check the disk, then run lake tier apply again`,
  });
}

async function isSame(objects: ObjectStore, from: string, to: string): Promise<boolean> {
  const [old, copy] = await Promise.all([objects.head(from), objects.head(to)]);
  if (old.size !== copy.size) return false;
  // Equal checksums over the whole object, computed by the store for each of the two, spare reading both. Unequal ones
  // are no proof: they may be of two kinds, and versitygw's are off for objects that it copied in parts.
  if (old.checksum !== undefined && old.checksum === copy.checksum) return true;
  // The bytes of a copy in an archive class cannot be read: the checksum that the store made of them has to do.
  if (copy.archive !== undefined && copy.archive !== 'thawed') {
    return copy.checksum === (await crc32Of(objects, from, copy.checksum));
  }
  const [oldSum, copySum] = await Promise.all([objects.checksum(from), objects.checksum(to)]);
  return oldSum === copySum;
}

/** The CRC-32 of an object's bytes as S3 writes it, if `like` is one. Errors: `unsupported` for any other checksum, or none. */
async function crc32Of(objects: ObjectStore, location: string, like: string | undefined): Promise<string> {
  if (like?.startsWith('crc32:') !== true) {
    throw new LakeError('unsupported', `the store keeps no CRC-32 of its copy of ${location}`, {
      where: location,
      hint: 'a copy in an archive class cannot be proven then; take another storage class for this tier',
    });
  }
  let sum = 0;
  for await (const chunk of objects.stream(location)) sum = crc32(chunk, sum);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(sum);
  return `crc32:${bytes.toString('base64')}`;
}
