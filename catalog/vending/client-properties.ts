import type { S3Settings } from '../../src/storage/s3-settings.ts';
import type { SessionCredentials } from './assume-role.ts';

/** Properties of a client's FileIO, by their names in the REST spec and in Iceberg's clients. */
export type ClientProperties = Readonly<Record<string, string>>;

/** Where an S3 server is; never with its keys. */
export function serverProperties({ endpoint, region, pathStyle }: S3Settings): ClientProperties {
  const ownRegion = region ?? (endpoint === undefined ? undefined : 'us-east-1');
  return {
    ...(endpoint === undefined ? {} : { 's3.endpoint': endpoint }),
    ...(ownRegion === undefined ? {} : { 'client.region': ownRegion }),
    's3.path-style-access': String(pathStyle ?? endpoint !== undefined),
  };
}

export function credentialProperties(credentials: SessionCredentials): ClientProperties {
  return {
    's3.access-key-id': credentials.accessKeyId,
    's3.secret-access-key': credentials.secretAccessKey,
    's3.session-token': credentials.sessionToken,
    's3.session-token-expires-at-ms': String(credentials.expiresAtMs),
  };
}

/**
 * Sends the client to this catalog with each request to sign. The address is left to the client, which knows how it reaches the catalog; `s3.signer`
 * is PyIceberg's name for the same.
 *
 * @param endpoint below the catalog's address
 */
export function signerProperties(endpoint: string): ClientProperties {
  return {
    's3.remote-signing-enabled': 'true',
    's3.signer': 'S3V4RestSigner',
    's3.signer.endpoint': endpoint,
    'signer.endpoint': endpoint,
  };
}
