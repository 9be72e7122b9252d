import { createServer } from 'node:http';
import type { Registry } from 'prom-client';
import { LakeError } from '../errors.ts';

export interface MetricsEndpoint {
  /** `http://host:port/metrics` */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Answers `/metrics` with what was collected last; 503 before there is anything.
 *
 * @throws LakeError `usage` for an address that cannot be listened on
 */
export async function startMetricsEndpoint(
  registry: Registry,
  { host, port }: { readonly host: string; readonly port: number },
  isCollected: () => boolean,
): Promise<MetricsEndpoint> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('The metrics are at /metrics\n');
      return;
    }
    if (!isCollected()) {
      response.writeHead(503, { 'retry-after': '5' }).end('Nothing was collected yet\n');
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new LakeError('usage', `The metrics cannot listen on ${host}:${port}: ${cause.message}`, {
          hint: 'Choose another address with --listen; port 0 takes a free one.',
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return {
    address: `http://${host.includes(':') ? `[${host}]` : host}:${bound}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
