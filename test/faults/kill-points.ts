import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { DatabaseSync } from 'node:sqlite';
import { DuckDBConnection } from '@duckdb/node-api';
import { RestCatalog } from '../../src/catalog-client/rest-client.ts';
import { LocalStore } from '../../src/storage/local.ts';

/** The points at which this process may be killed: what has become durable, or is about to. */
export interface KillPoints {
  /** Names of the points passed, such as `put manifest #2` with `before` or `after` in front, in order. */
  readonly passed: readonly string[];
  /** Passes a point of the work's own, such as a step of a protocol. */
  pass(point: string): void;
}

/**
 * From now on this process counts the points that the steps of a commit (DESIGN 4.1) and of a move (4.2) consist of, and kills itself by SIGKILL at `killAt`.
 * Points: each file written by the engine, each object put or copied (`during`: the bytes stand in a temporary file, the name is not given), each deletion,
 * each request for a commit, each transaction of the catalog.
 */
export function armKillPoints(killAt?: string): KillPoints {
  const counts = new Map<string, number>();
  const passed: string[] = [];
  const pass = (point: string): void => {
    passed.push(point);
    if (point !== killAt) return;
    process.kill(process.pid, 'SIGKILL');
    // The signal may take a moment: nothing may happen in it.
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  };
  const numbered = (what: string): string => {
    const count = (counts.get(what) ?? 0) + 1;
    counts.set(what, count);
    return `${what} #${count}`;
  };
  const around = async <T>(what: string, body: () => Promise<T>): Promise<T> => {
    const point = numbered(what);
    pass(`before ${point}`);
    const result = await body();
    pass(`after ${point}`);
    return result;
  };
  watchStore(around, (what) => pass(`during ${numbered(what)}`));
  watchEngine(around);
  watchCatalog(around, (body) => {
    const point = numbered('catalog transaction');
    pass(`before ${point}`);
    body();
    pass(`after ${point}`);
  });
  return { passed, pass: (what) => pass(`after ${numbered(what)}`) };
}

type Around = <T>(what: string, body: () => Promise<T>) => Promise<T>;

function kindOf(location: string): string {
  if (location.endsWith('.metadata.json')) return 'metadata file';
  if (/[/-]snap-[^/]*\.avro$|-list\d+\.avro$/.test(location)) return 'manifest list';
  if (location.endsWith('.avro')) return 'manifest';
  return location.endsWith('.parquet') ? 'data or delete file' : 'object';
}

function watchStore(around: Around, during: (what: string) => void): void {
  const { put, copy, delete: remove } = LocalStore.prototype;
  LocalStore.prototype.put = function (...args) {
    return around(`put ${kindOf(args[0])}`, () => put.apply(this, args));
  };
  LocalStore.prototype.copy = function (...args) {
    return around(`copy ${kindOf(args[1])}`, () => copy.apply(this, args));
  };
  LocalStore.prototype.delete = function (...args) {
    return around('delete objects', () => remove.apply(this, args));
  };
  const { link } = fs;
  // The store gives a filled temporary file its name by a link.
  fs.link = (from, to) => {
    during(`making of ${kindOf(String(to))}`);
    return link(from, to);
  };
  syncBuiltinESMExports();
}

function watchEngine(around: Around): void {
  const { run } = DuckDBConnection.prototype;
  DuckDBConnection.prototype.run = function (...args) {
    const body = () => run.apply(this, args);
    return args[0].startsWith('COPY ') ? around('write of data or delete file', body) : body();
  };
}

function watchCatalog(around: Around, transaction: (body: () => void) => void): void {
  const { commitTable, commitTransaction } = RestCatalog.prototype;
  RestCatalog.prototype.commitTable = function (...args) {
    return around('commit request', () => commitTable.apply(this, args));
  };
  RestCatalog.prototype.commitTransaction = function (...args) {
    return around('commit request of several tables', () => commitTransaction.apply(this, args));
  };
  const { exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function (sql) {
    if (!/^\s*COMMIT/i.test(sql)) return exec.call(this, sql);
    transaction(() => exec.call(this, sql));
  };
}
