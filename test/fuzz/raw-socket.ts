import { connect } from 'node:net';
import { stringifyJson } from '../../src/iceberg/json.ts';
import type { Dice } from './dice.ts';
import type { FuzzAnswer, FuzzRequest } from './world.ts';

/** How long an answer may take where the request was cut off on purpose, and where it was not. */
const PATIENCE_MS = { cut: 300, whole: 60_000 };

/** The request's bytes, sometimes broken as connections and strange clients break them. */
function bytesOf(
  dice: Dice,
  { method, url, headers, body, raw }: FuzzRequest,
): { bytes: Buffer; whole: boolean } {
  const text = Buffer.from(raw ?? (body === undefined ? '' : (stringifyJson(body) ?? '')));
  const lines = Object.entries({ 'content-type': 'application/json', ...headers })
    .map(([name, value]) => `${name}: ${value.replaceAll(/[\r\n]/g, '')}`)
    .join('\r\n');
  const head = (length: number | string) =>
    Buffer.from(
      `${method} ${url.replaceAll(/[\r\n]/g, '')} HTTP/1.1\r\nhost: lake\r\nconnection: close\r\n${lines}\r\ncontent-length: ${length}\r\n\r\n`,
    );
  return dice.weighted<() => { bytes: Buffer; whole: boolean }>([
    [8, () => ({ bytes: Buffer.concat([head(text.length), text]), whole: true })],
    [1, () => ({ bytes: Buffer.concat([head(text.length + 5), text]), whole: false })],
    [1, () => ({ bytes: Buffer.concat([head(-1), text]), whole: false })],
    [1, () => ({ bytes: head(text.length).subarray(0, 40), whole: false })],
    [1, () => ({ bytes: Buffer.concat([head(text.length), Buffer.from([0, 255, 254, 128])]), whole: false })],
    [1, () => ({ bytes: Buffer.from(`${'X'.repeat(dice.int(100))} / HTTP/9.9\r\n\r\n`), whole: false })],
    [1, () => ({ bytes: Buffer.from(`GET /${'y'.repeat(70_000)} HTTP/1.1\r\n\r\n`), whole: false })],
  ])();
}

/** Sends the request over a socket of its own; null if the server closed without an answer, which it may where the request is none. */
export function sendRaw(dice: Dice, port: number, request: FuzzRequest): Promise<FuzzAnswer | null> {
  const { bytes, whole } = bytesOf(dice, request);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1' });
    const timer = setTimeout(() => socket.destroy(), whole ? PATIENCE_MS.whole : PATIENCE_MS.cut);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(parsed(Buffer.concat(chunks).toString()));
    });
    socket.write(bytes);
  });
}

function parsed(text: string): FuzzAnswer | null {
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
  if (status === undefined) return null;
  return { status: Number(status), headers: {}, text, json: null };
}
