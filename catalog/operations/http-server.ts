import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { ServeLimits, TlsFiles } from './serve-options.ts';
import { readTls, type TlsMaterial, watchTls } from './tls-files.ts';

/** How long an idle connection is kept: longer than load balancers do (60 s), so that they end it and not we under their request. */
const KEEP_ALIVE_MS = 72_000;
const TLS_LOOK_MS = 5000;

interface HttpServersOptions {
  readonly tls?: TlsFiles | undefined;
  readonly limits: ServeLimits;
  readonly onTlsProblem: (error: unknown) => void;
  readonly onTlsRenewed: () => void;
  /** Between looks at the TLS files, ms. */
  readonly tlsLookMs?: number | undefined;
}

/** Makes the HTTP or HTTPS servers of one app (one for each address of a host name) and renews their certificates. */
export class HttpServers {
  readonly #options: HttpServersOptions;
  readonly #servers = new Set<Server>();
  readonly #tlsServers = new Set<ReturnType<typeof createTlsServer>>();
  readonly #unwatch: () => void;
  #material: TlsMaterial | null;

  /** Errors: `invalid-file` for TLS files that are none. */
  constructor(options: HttpServersOptions) {
    this.#options = options;
    this.#material = options.tls === undefined ? null : readTls(options.tls);
    this.#unwatch = this.#watch();
  }

  make(handler: RequestListener): Server {
    const { headerBytes, requestTimeoutMs } = this.#options.limits;
    const options = {
      maxHeaderSize: headerBytes,
      requestTimeout: requestTimeoutMs,
      headersTimeout: Math.min(requestTimeoutMs, 30_000),
      keepAliveTimeout: KEEP_ALIVE_MS,
    };
    if (this.#material === null) return this.#added(createServer(options, handler));
    const asksClients = this.#material.ca !== undefined;
    const server = createTlsServer(
      { ...options, ...this.#material, requestCert: asksClients, rejectUnauthorized: asksClients },
      handler,
    );
    this.#tlsServers.add(server);
    return this.#added(server);
  }

  /** Cuts every connection, also those whose request is worked on. */
  cut(): void {
    for (const server of this.#servers) server.closeAllConnections();
  }

  /** Ends the watch over the certificates. */
  close(): void {
    this.#unwatch();
  }

  #added(server: Server): Server {
    this.#servers.add(server);
    return server;
  }

  #watch(): () => void {
    const { tls, onTlsProblem, onTlsRenewed, tlsLookMs = TLS_LOOK_MS } = this.#options;
    if (tls === undefined || this.#material === null) return () => {};
    const use = (material: TlsMaterial) => {
      this.#material = material;
      for (const server of this.#tlsServers) server.setSecureContext(material);
      onTlsRenewed();
    };
    return watchTls(this.#material, { files: tls, everyMs: tlsLookMs, use, onError: onTlsProblem });
  }
}
