import { rename, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { LakeError } from '../../errors.ts';
import type { MetricsCollector } from '../../metrics/collector.ts';
import { durationMs, parseDuration } from '../../policy/duration.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import type { Session } from '../session.ts';

interface MetricsOptions {
  readonly listen?: { readonly host: string; readonly port: number };
  readonly out?: string;
  readonly every: number;
  readonly orphansEvery: number;
  readonly orphans: boolean;
  readonly mostTables: number;
}

/** `lake metrics`: what the lake holds and what waits, for Prometheus. */
export const addMetrics: CommandFactory = (parent, run) => {
  const command = parent
    .command('metrics')
    .description('what the lake holds, what the policies wait for and how runs went, for Prometheus')
    .option('--listen <address>', 'answer http://[HOST:]PORT/metrics until Ctrl-C', parseAddress)
    .option('--out <file>', 'write once to a file, for the textfile collector of the node exporter')
    .option('--every <span>', 'with --listen: how often the lake is read', parseSpan, 60_000)
    .option('--orphans-every <span>', 'with --listen: how often orphans are counted', parseSpan, 21_600_000)
    .option('--no-orphans', 'do not count orphans, which lists all folders of the lake')
    .option('--most-tables <count>', 'so many tables are named, the rest are shown as one', parseCount, 1000)
    .action((options: MetricsOptions) => run((session) => metrics(session, options)));
  // Commander would show milliseconds.
  for (const [option, text] of [
    ['--every', '60s'],
    ['--orphans-every', '6h'],
  ] as const) {
    const found = command.options.find(({ long }) => long === option);
    found?.default(found.defaultValue, text);
  }
  withExamples(command, [
    ['lake metrics --listen 9465', 'Prometheus scrapes http://127.0.0.1:9465/metrics'],
    ['lake metrics --out /var/lib/node_exporter/lake.prom', 'from cron, without a process that stays'],
    ['lake metrics --no-orphans', 'to look at them'],
  ]);
};

function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:(.+):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535)
    throw new InvalidArgumentError('Write [HOST:]PORT such as 9465 or 0.0.0.0:9465.');
  return { host: (match[1] ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1'), port };
}

function parseSpan(text: string): number {
  try {
    const ms = durationMs(parseDuration(text));
    if (ms >= 1000) return ms;
  } catch {
    // Told below.
  }
  throw new InvalidArgumentError('Write a span of at least a second, such as 30s, 2h or PT5M.');
}

function parseCount(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Write a whole number.');
}

async function metrics(session: Session, options: MetricsOptions): Promise<number> {
  if (options.listen !== undefined && options.out !== undefined) {
    throw new LakeError('usage', '--listen and --out do not go together', {
      hint: 'Nothing was done. Write one of them.',
    });
  }
  const lake = await session.lake();
  const { MetricsCollector } = await import('../../metrics/collector.ts');
  const startedMs = session.clock.now();
  const collector = new MetricsCollector(lake, {
    // A clock that --now has set goes on from there.
    policyNow: () => session.policyNow + (session.clock.now() - startedMs),
    mostTables: options.mostTables,
    warn: (message) => session.output.note(message),
  });
  if (options.listen !== undefined) return serve(session, collector, options, options.listen);
  const isRead = await collector.collect();
  const isCounted = !options.orphans || (await collector.countOrphans());
  if (!isRead) {
    throw new LakeError('unavailable', 'The lake could not be read.', {
      hint: 'Nothing was written. The reason stands above; lake doctor looks at all parts.',
    });
  }
  await show(session, collector, options.out);
  return isCounted ? EXIT.done : EXIT.failed;
}

async function show(session: Session, { metrics }: MetricsCollector, out?: string): Promise<void> {
  const text = await metrics.registry.metrics();
  if (out !== undefined) return writeWhole(resolve(session.directory, out), text);
  const json = session.output.format === 'text' ? {} : await metrics.registry.getMetricsAsJSON();
  session.output.result(json, text.trimEnd());
}

/** Whoever reads the file meanwhile sees the old one or the new one. */
async function writeWhole(file: string, text: string): Promise<void> {
  const part = `${file}.${process.pid}.part`;
  try {
    await writeFile(part, text);
    await rename(part, file);
  } catch (cause) {
    await rm(part, { force: true }).catch(() => {});
    throw new LakeError('unavailable', `The metrics cannot be written to ${file}.`, {
      where: file,
      hint: 'The file is as it was. Choose a folder that is there and that you may write to.',
      cause,
    });
  }
}

async function serve(
  session: Session,
  collector: MetricsCollector,
  { every, orphans, orphansEvery }: MetricsOptions,
  listen: { readonly host: string; readonly port: number },
): Promise<number> {
  const { startMetricsEndpoint } = await import('../../metrics/metrics-endpoint.ts');
  const { repeatUntil } = await import('../../metrics/collector.ts');
  let isCollected = false;
  const { registry } = collector.metrics;
  const endpoint = await startMetricsEndpoint(registry, listen, () => isCollected);
  session.output.note(`metrics at ${endpoint.address} (Ctrl-C stops it)`);
  if (session.output.format !== 'text') session.output.result({ metrics: endpoint.address }, '');
  const stop = new AbortController();
  try {
    await Promise.all([
      session.terminal.stopRequested().then(() => stop.abort()),
      repeatUntil(stop.signal, every, async () => {
        if (await collector.collect()) isCollected = true;
      }),
      ...(orphans ? [repeatUntil(stop.signal, orphansEvery, () => collector.countOrphans())] : []),
    ]);
  } finally {
    await endpoint.close();
  }
  return EXIT.done;
}
