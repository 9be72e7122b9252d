import { LakeError } from '../../src/errors.ts';
import type { S3Location } from '../../src/storage/s3-location.ts';

/** What somebody may do with a table's objects. */
export type ObjectRight = 'read' | 'write';

/** AWS takes no longer ones (AssumeRole, parameter `Policy`). */
export const MAX_POLICY_CHARACTERS = 2048;

const ACTIONS: Readonly<Record<ObjectRight, readonly string[]>> = {
  read: ['s3:GetObject'],
  write: [
    's3:GetObject',
    's3:PutObject',
    's3:DeleteObject',
    's3:AbortMultipartUpload',
    's3:ListMultipartUploadParts',
  ],
};

/**
 * The session policy that allows what `right` says below some folders, and nothing else: objects below them, and listings that begin in
 * them. ASCII only, as AWS wants it. Pure.
 *
 * @param folders without slashes at their ends; an empty key is a whole bucket
 * @param escapes true if the server knows AWS's escapes of wildcards (`${*}`): AWS does, MinIO does not
 * Errors: `invalid-argument` for a folder whose name would be taken for a pattern.
 */
export function sessionPolicy(folders: readonly S3Location[], right: ObjectRight, escapes: boolean): string {
  const literal = folders.map(({ bucket, key }) => ({
    bucket,
    key: literalKey(key, escapes, `s3://${bucket}/${key}`),
  }));
  const below = (key: string) => (key === '' ? '*' : `${key}/*`);
  const objects = {
    Effect: 'Allow',
    Action: ACTIONS[right],
    Resource: literal.map(({ bucket, key }) => `arn:aws:s3:::${bucket}/${below(key)}`),
  };
  const listings = [...Map.groupBy(literal, ({ bucket }) => bucket)].map(([bucket, own]) => ({
    Effect: 'Allow',
    Action: ['s3:ListBucket'],
    Resource: [`arn:aws:s3:::${bucket}`],
    Condition: { StringLike: { 's3:prefix': own.map(({ key }) => below(key)) } },
  }));
  return ascii(JSON.stringify({ Version: '2012-10-17', Statement: [objects, ...listings] }));
}

/** A key in which no character stands for others. `$` does before `{`: a policy variable. */
function literalKey(key: string, escapes: boolean, location: string): string {
  if (!/[*?]|\$\{/.test(key)) return key;
  if (escapes) return key.replaceAll(/[*?]|\$(?=\{)/g, (character) => `\${${character}}`);
  throw new LakeError(
    'invalid-argument',
    `No credentials can be made for ${location}: *, ? and \${ are patterns to its server`,
    {
      where: location,
      hint: 'Move the table to a location without these characters; locations that the catalog makes have none. Remote signing works for it.',
      context: { type: 'BadRequestException' },
    },
  );
}

function ascii(json: string): string {
  return json.replaceAll(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
