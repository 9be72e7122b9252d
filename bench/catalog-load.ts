/**
 * Plain HTTP load in a process of its own: reads a `Load` as JSON from its first argument, prints `LoadFigures`. Raw keep-alive
 * connections, one a client, so that the generator takes little of the processors that it shares with what it measures.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { pathToFileURL } from 'node:url';
import { quantile } from './figures.ts';

/** What is asked for again and again. `COUNT_MARK` in a path or body stands for a text not used before. */
interface Target {
  readonly path: string;
  readonly body?: string;
  /** Bytes that stand for a body, instead of `body`. */
  readonly bodyBytes?: number;
}

export interface Load {
  readonly origin: string;
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Client `n` takes the one at `n` modulo their number. */
  readonly targets: readonly Target[];
  readonly contentType?: string;
  readonly clients: number;
  /** Not measured. */
  readonly warmUpMs: number;
  /** Processes whose processor time is measured too. */
  readonly pids: readonly number[];
  readonly measuredMs: number;
}

export interface LoadFigures {
  /** Answers of 2xx a second. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** All answers of the measured time. */
  readonly answers: number;
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly bytesAnAnswer: number;
  /** Processor time of this process as a part of one processor. */
  readonly generatorCpu: number;
  /** Processor time of each of `pids` in the measured time, ms. */
  readonly cpuMs: readonly number[];
}

export const COUNT_MARK = '@COUNT@';

/** Linux counts processor time in hundredths of a second. */
const MS_A_TICK = 10;
const HEAD_END = Buffer.from('\r\n\r\n');

interface Answer {
  readonly status: number;
  readonly bytes: number;
}

/** Bytes of one answer as they come: its end is told by content-length or by the last chunk. */
class AnswerReader {
  #head = '';
  #status = 0;
  #left = 0;
  #bytes = 0;
  #chunked = false;
  #rest: Buffer = Buffer.alloc(0);
  #inHead = true;

  /** The answer once it is whole; null before. */
  push(chunk: Buffer): Answer | null {
    if (this.#inHead) {
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      const end = this.#rest.indexOf(HEAD_END);
      if (end < 0) return null;
      this.#head = this.#rest.toString('latin1', 0, end).toLowerCase();
      const body = this.#rest.subarray(end + HEAD_END.length);
      this.#begin();
      return this.#body(body);
    }
    return this.#body(chunk);
  }

  #begin(): void {
    this.#inHead = false;
    this.#status = Number(this.#head.slice(9, 12));
    this.#chunked = /\r\ntransfer-encoding: *chunked/.test(this.#head);
    this.#left = Number(/\r\ncontent-length: *(\d+)/.exec(this.#head)?.[1] ?? 0);
    this.#bytes = 0;
    this.#rest = Buffer.alloc(0);
  }

  #body(chunk: Buffer): Answer | null {
    this.#bytes += chunk.length;
    if (!this.#chunked) {
      this.#left -= chunk.length;
      return this.#left > 0 ? null : this.#done();
    }
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const line = this.#rest.indexOf('\r\n');
      if (line < 0) return null;
      const size = Number.parseInt(this.#rest.toString('latin1', 0, line), 16);
      if (this.#rest.length < line + 2 + size + 2) return null;
      this.#rest = this.#rest.subarray(line + 2 + size + 2);
      if (size === 0) return this.#done();
    }
  }

  #done(): Answer {
    this.#inHead = true;
    this.#rest = Buffer.alloc(0);
    return { status: this.#status, bytes: this.#bytes };
  }
}

interface Tally {
  readonly times: number[];
  readonly statuses: Record<string, number>;
  bytes: number;
  readonly from: number;
  readonly until: number;
}

let count = 0;

function requestBytes(load: Load, target: Target): string {
  count++;
  const body =
    target.body?.replaceAll(COUNT_MARK, `${process.pid}-${count}`) ?? 'x'.repeat(target.bodyBytes ?? 0);
  const type = body === '' ? '' : `Content-Type: ${load.contentType ?? 'application/json'}\r\n`;
  const path = target.path.replaceAll(COUNT_MARK, `${process.pid}-${count}`);
  const { host } = new URL(load.origin);
  const length = load.method === 'GET' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  return `${load.method} ${path} HTTP/1.1\r\nHost: ${host}\r\nAccept: application/json\r\n${type}${length}\r\n${body}`;
}

/** One client: asks again as soon as it is answered, until the time is over. */
async function runClient(load: Load, target: Target, tally: Tally): Promise<void> {
  const { hostname, port } = new URL(load.origin);
  while (performance.now() < tally.until) {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await askOn(socket, load, target, tally);
  }
}

/** Returns when the time is over or the server closed the connection. */
function askOn(socket: Socket, load: Load, target: Target, tally: Tally): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const reader = new AnswerReader();
  let began = 0;
  const ask = (): void => {
    began = performance.now();
    socket.write(requestBytes(load, target));
  };
  socket.on('connect', ask);
  socket.on('data', (chunk: Buffer) => {
    const answer = reader.push(chunk);
    if (answer === null) return;
    const now = performance.now();
    if (began >= tally.from && now < tally.until) {
      tally.statuses[answer.status] = (tally.statuses[answer.status] ?? 0) + 1;
      tally.bytes += answer.bytes;
      if (answer.status >= 200 && answer.status < 300) tally.times.push(now - began);
    }
    if (now < tally.until) ask();
    else socket.destroy();
  });
  socket.on('error', () => {
    tally.statuses['broken'] = (tally.statuses['broken'] ?? 0) + 1;
  });
  socket.on('close', () => resolve());
  return promise;
}

/** Processor time that a process has used, ms; not a number where the system does not say so. */
function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_A_TICK;
  } catch {
    return Number.NaN;
  }
}

async function generate(load: Load): Promise<LoadFigures> {
  const began = performance.now();
  const from = began + load.warmUpMs;
  const tally: Tally = { times: [], statuses: {}, bytes: 0, from, until: from + load.measuredMs };
  const cpu = process.cpuUsage();
  let before: readonly number[] = [];
  setTimeout(() => {
    before = load.pids.map(cpuOf);
  }, load.warmUpMs);
  const clients = Array.from({ length: load.clients }, (_, at) =>
    runClient(load, load.targets[at % load.targets.length] ?? { path: '/' }, tally),
  );
  await Promise.all(clients);
  const used = process.cpuUsage(cpu);
  const cpuMs = load.pids.map((pid, at) => cpuOf(pid) - (before[at] ?? Number.NaN));
  const answers = Object.values(tally.statuses).reduce((sum, number) => sum + number, 0);
  return {
    perSecond: tally.times.length / (load.measuredMs / 1000),
    p50Ms: quantile(tally.times, 0.5) || 0,
    p99Ms: quantile(tally.times, 0.99) || 0,
    answers,
    statuses: tally.statuses,
    bytesAnAnswer: Math.round(tally.bytes / Math.max(1, answers)),
    cpuMs,
    generatorCpu: (used.user + used.system) / 1000 / (performance.now() - began),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.stdout.write(JSON.stringify(await generate(JSON.parse(process.argv[2] ?? '{}') as Load)));
}
