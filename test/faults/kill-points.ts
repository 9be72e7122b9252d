/**
 * Loaded into a `lake` process by `node --import`: counts the points at which something becomes durable (an object put or
 * copied, objects deleted, a transaction of the catalog committed) and kills the process at one of them.
 *
 * FAULT_KILL_AT=`before put manifest #2` kills; FAULT_LIST=FILE writes the names of all points there at the end.
 */
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { LocalStore } from '../../src/storage/local.ts';

const counts = new Map<string, number>();
const passed: string[] = [];
const killAt = process.env['FAULT_KILL_AT'];
const listFile = process.env['FAULT_LIST'];

function pass(point: string): void {
  if (point !== killAt) return;
  process.kill(process.pid, 'SIGKILL');
  // The signal may take a moment: nothing may happen in it.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
}

/** Names a point by what is done, and counts it. */
function numbered(what: string): string {
  const count = (counts.get(what) ?? 0) + 1;
  counts.set(what, count);
  const name = `${what} #${count}`;
  passed.push(name);
  return name;
}

function kindOf(location: string): string {
  if (location.endsWith('.metadata.json')) return 'metadata file';
  if (/\/snap-[^/]*\.avro$/.test(location)) return 'manifest list';
  if (location.endsWith('.avro')) return 'manifest';
  return location.endsWith('.parquet') ? 'data or delete file' : 'object';
}

async function around<T>(what: string, body: () => Promise<T>): Promise<T> {
  const point = numbered(what);
  pass(`before ${point}`);
  const result = await body();
  pass(`after ${point}`);
  return result;
}

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

const { exec } = DatabaseSync.prototype;
DatabaseSync.prototype.exec = function (sql) {
  if (!/^\s*COMMIT/i.test(sql)) return exec.call(this, sql);
  const point = numbered('catalog transaction');
  pass(`before ${point}`);
  exec.call(this, sql);
  pass(`after ${point}`);
};

if (listFile !== undefined) process.on('exit', () => writeFileSync(listFile, passed.join('\n')));
