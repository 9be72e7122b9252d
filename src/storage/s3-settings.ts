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
}
