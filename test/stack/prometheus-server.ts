import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeConfiguration } from '../../stack/prometheus.ts';
import { freePort } from '../free-port.ts';

/** One series of an answer. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface PrometheusServer {
  readonly uri: string;
  /** An instant query. @throws Error with what Prometheus said */
  query(expr: string): Promise<readonly Series[]>;
  /** Names of the alerts that fire. */
  firing(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const CONFIGURATION = join(import.meta.dirname, '../../prometheus');

/**
 * A Prometheus with the project's own configuration and rules, but in a hurry: it scrapes each second, and alerts do not wait.
 *
 * @param targets addresses by job
 */
export async function startPrometheus(
  folder: string,
  targets: Readonly<Record<string, string>>,
): Promise<PrometheusServer> {
  mkdirSync(folder, { recursive: true });
  writeConfiguration(folder, targets);
  hurry(folder);
  const uri = `http://127.0.0.1:${await freePort()}`;
  const words = ['--config.file=prometheus.yml', '--storage.tsdb.path=data'];
  const child = spawn('prometheus', [...words, `--web.listen-address=${new URL(uri).host}`], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-20_000);
  });
  while ((await fetch(`${uri}/-/ready`).catch(() => null))?.ok !== true) {
    if (child.exitCode !== null) throw new Error(`Prometheus ended:\n${said}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    uri,
    query: (expr) => query(uri, expr),
    firing: async () => {
      const alerts = await query(uri, 'ALERTS{alertstate="firing"}');
      return [...new Set(alerts.map(({ labels }) => labels['alertname'] ?? ''))].sort();
    },
    close: () => stopped(child),
  };
}

/** The links to the project's files become files of their own. */
function hurry(folder: string): void {
  const file = join(folder, 'prometheus.yml');
  const text = readFileSync(join(CONFIGURATION, 'prometheus.yml'), 'utf8');
  rmSync(file);
  writeFileSync(
    file,
    text.replaceAll(/(scrape_interval|scrape_timeout|evaluation_interval): \d+s/g, '$1: 1s'),
  );
  const rules = join(folder, 'rules');
  rmSync(rules);
  cpSync(join(CONFIGURATION, 'rules'), rules, { recursive: true });
  for (const name of readdirSync(rules)) {
    const path = join(rules, name);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/^ +for: \w+$/gm, ''));
  }
}

async function query(uri: string, expr: string): Promise<Series[]> {
  const answer = await fetch(`${uri}/api/v1/query`, {
    method: 'POST',
    body: new URLSearchParams({ query: expr }),
  });
  const body = (await answer.json()) as {
    readonly status: string;
    readonly error?: string;
    readonly data?: {
      readonly result: readonly { metric: Record<string, string>; value: [number, string] }[];
    };
  };
  if (body.status !== 'success') throw new Error(`${expr}: ${body.error}`);
  return (body.data?.result ?? []).map(({ metric, value: [, text] }) => ({
    labels: metric,
    value: text === '+Inf' ? Infinity : Number(text),
  }));
}

/** Ends a child and waits for it. */
export async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
