import { LakeError } from '../errors.ts';

/** A parsed `s3://bucket/key`; `s3a` and `s3n`, which Hadoop writes, mean the same. Keys are raw: nothing is percent-decoded. */
export interface S3Location {
  readonly bucket: string;
  readonly key: string;
}

const LOCATION = /^s3[an]?:\/\/([^/]+)(?:\/(.*))?$/is;

/** Takes a location or a prefix (whose key may be empty) apart. Errors: `invalid-argument`. */
export function parseS3(location: string): S3Location {
  const [, bucket, key = ''] = LOCATION.exec(location) ?? [];
  if (bucket === undefined) {
    throw new LakeError('invalid-argument', `"${location}" is no S3 location`, {
      where: location,
      hint: 'Write s3://bucket/key.',
    });
  }
  return { bucket, key };
}

/** The location of a key beside `location`: of its scheme and bucket. */
export function s3Location(sibling: string, bucket: string, key: string): string {
  return `${sibling.slice(0, sibling.indexOf(':'))}://${bucket}/${key}`;
}

/** The `x-amz-copy-source` of an object: percent-encoded but for the slashes. */
export function copySource({ bucket, key }: S3Location): string {
  return `${bucket}/${key}`.split('/').map(encodeURIComponent).join('/');
}

/** A part of a request's path as signatures want it (RFC 3986): all but the unreserved characters are percent-encoded. */
export function encodeName(name: string): string {
  return encodeURIComponent(name).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
