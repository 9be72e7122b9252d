import {
  type HeadObjectCommandOutput,
  RestoreObjectCommand,
  type S3Client,
  type Tier,
} from '@aws-sdk/client-s3';
import type { ObjectHead, ThawOptions } from './object-store.ts';
import { s3Code } from './s3-errors.ts';
import { parseS3 } from './s3-location.ts';

type Head = Pick<HeadObjectCommandOutput, 'StorageClass' | 'ArchiveStatus' | 'Restore'>;

/** Classes whose objects answer a GET with 403 InvalidObjectState until they are restored. */
const ARCHIVES: readonly string[] = ['GLACIER', 'DEEP_ARCHIVE'];

const SPEEDS: Readonly<Record<ThawOptions['speed'], Tier>> = {
  expedited: 'Expedited',
  standard: 'Standard',
  bulk: 'Bulk',
};

/** Whether an archived object can be read, from the answer to HEAD; undefined for one of any other class. Pure. */
export function archiveState({ StorageClass, ArchiveStatus, Restore }: Head): ObjectHead['archive'] {
  const isArchived = ARCHIVES.includes(StorageClass ?? '') || ArchiveStatus !== undefined;
  // An object of intelligent tiering that was restored is in no archive any more.
  if (!isArchived) return undefined;
  if (Restore === undefined) return 'frozen';
  return /ongoing-request="true"/.test(Restore) ? 'thawing' : 'thawed';
}

/** Asks for an archived object's bytes. Errors: those of the SDK. */
export async function requestThaw(
  client: S3Client,
  location: string,
  head: Head,
  { days, speed }: ThawOptions,
): Promise<void> {
  if (archiveState(head) !== 'frozen') return;
  const { bucket: Bucket, key: Key } = parseS3(location);
  // Intelligent tiering brings an object back for good, and refuses a number of days.
  const forDays = head.ArchiveStatus === undefined ? { Days: days } : {};
  const RestoreRequest = { ...forDays, GlacierJobParameters: { Tier: SPEEDS[speed] } };
  try {
    await client.send(new RestoreObjectCommand({ Bucket, Key, RestoreRequest }));
  } catch (error) {
    // Somebody else asked between the look and this.
    if (s3Code(error) !== 'RestoreAlreadyInProgress') throw error;
  }
}
