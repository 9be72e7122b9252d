/** PEM files; they are read again when they change. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** With it only clients with a certificate of this authority are let in. */
  readonly clientCa?: string;
}

/** At most `requests` in any `perMs` milliseconds. */
export interface Rate {
  readonly requests: number;
  readonly perMs: number;
}

export interface ServeLimits {
  /** Bytes of a request's body. */
  readonly bodyBytes: number;
  /** Bytes of a request's headers, all together. */
  readonly headerBytes: number;
  /** For a request to come in whole, ms. */
  readonly requestTimeoutMs: number;
  /** Requests that are worked on at once. */
  readonly inFlight: number;
  readonly perAddress?: Rate;
  readonly perPrincipal?: Rate;
}

/** How the catalog is served, beside where. */
export interface ServeOptions {
  readonly tls?: TlsFiles;
  /** Addresses, networks (`10.0.0.0/8`) or `loopback` whose X-Forwarded-* headers are believed. */
  readonly trustedProxies?: readonly string[];
  readonly limits?: Partial<ServeLimits>;
  /** Where Prometheus finds the metrics; none are kept without. */
  readonly metrics?: { readonly host: string; readonly port: number };
  /** How long running requests may take to end when the server stops, ms. */
  readonly shutdownGraceMs?: number;
  /** Between looks at the TLS files, ms. */
  readonly tlsLookMs?: number;
}

/** What holds where nothing is said. Metadata of tables with many snapshots is large, and so are journaled batches. */
export const DEFAULT_LIMITS: ServeLimits = {
  bodyBytes: 256 * 1024 * 1024,
  headerBytes: 64 * 1024,
  requestTimeoutMs: 120_000,
  inFlight: 1000,
};

export const DEFAULT_SHUTDOWN_GRACE_MS = 30_000;
