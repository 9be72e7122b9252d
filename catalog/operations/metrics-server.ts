import { createServer, type Server } from 'node:http';
import { LakeError } from '../../src/errors.ts';
import type { CatalogMetrics } from './metrics.ts';

export interface MetricsServer {
  /** `http://host:port/metrics` */
  readonly address: string;
  close(): Promise<void>;
}

/** Answers `/metrics` in Prometheus' text form, on a port of its own. Errors: `usage` for one that cannot be listened on. */
export async function startMetricsServer(
  metrics: CatalogMetrics,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('The metrics are at /metrics\n');
      return;
    }
    metrics.registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await listening(server, host, port);
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    address: `http://${shown}:${bound}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new LakeError('usage', `The metrics cannot listen on ${host}:${port}: ${cause.message}`, {
          hint: 'Choose another --metrics-port (0 takes a free one).',
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}
