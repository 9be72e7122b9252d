import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prometheusMissing } from '../../stack/prometheus.ts';
import { freePort } from '../free-port.ts';
import { panelQueries } from '../grafana/dashboard.ts';
import { type PrometheusServer, startPrometheus } from '../stack/prometheus-server.ts';
import { testedStack, testedTrino, withStack } from './stack.ts';

const missing = prometheusMissing();
if (missing !== null && process.env['CI'] !== undefined) throw new Error(missing);

withStack('Trino under Prometheus', () => {
  let folder: string;
  let server: PrometheusServer;

  beforeAll(async () => {
    if (missing !== null) return;
    folder = await mkdtemp(join(tmpdir(), 'lake-trino-metrics-'));
    const unused = `127.0.0.1:${await freePort()}`;
    const trino = `127.0.0.1:${testedStack().ports.trino}`;
    server = await startPrometheus(folder, { catalog: unused, lake: unused, trino, prometheus: unused });
  });
  afterAll(async () => {
    await server?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const queries = panelQueries().filter(({ expr }) => expr.includes('trino_'));
  it.skipIf(missing !== null).each(queries)('answers "$panel" $refId', async ({ expr }) => {
    await testedTrino().rows('SELECT 1');
    await expect.poll(async () => (await server.query(expr)).length, { message: expr }).toBeGreaterThan(0);
    for (const { value } of await server.query(expr)) expect(value, expr).toBeGreaterThanOrEqual(0);
  });
});
