/** How an S3 server is reached. What is absent comes from the usual AWS chain (environment, profile, role). */
export interface S3Settings {
  /** `http://host:port`; absent for AWS itself. */
  readonly endpoint?: string;
  readonly region?: string;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`; most servers other than AWS need it. */
  readonly pathStyle?: boolean;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly sessionToken?: string;
  /** How clients of the catalog get credentials of their own for a table; absent if they do not. */
  readonly sts?: StsSettings;
}

/** The server's Security Token Service. */
export interface StsSettings {
  /** Default: the S3 server's, or AWS's. */
  readonly endpoint?: string;
  readonly region?: string;
  /** The role that is assumed. AWS needs it; MinIO takes any. */
  readonly roleArn?: string;
  readonly externalId?: string;
}

/** The keys that the settings name, as AWS's clients take them; nothing where the usual chain gives them. */
export function namedKeys({ accessKeyId, secretAccessKey, sessionToken }: S3Settings) {
  if (accessKeyId === undefined || secretAccessKey === undefined) return {};
  const token = sessionToken === undefined ? {} : { sessionToken };
  return { credentials: { accessKeyId, secretAccessKey, ...token } };
}
