import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { freePort } from '../free-port.ts';

/**
 * What befalls a request: an answer of 503; the connection reset before it reaches the server; its answer lost after the server did it;
 * the answer's body cut in the middle; no answer at all; a failed condition told as a success.
 */
export type Fault = 'slow-down' | 'reset' | 'lose-answer' | 'cut-body' | 'hang' | 'ignore-condition';

export interface FaultyProxy {
  readonly endpoint: string;
  /** Method and path of every request that came. */
  readonly seen: string[];
  /** Bytes of the bodies that were passed on, by method and path. */
  readonly answered: { readonly request: string; readonly bytes: number }[];
  /** Decides on each request; null passes it on. */
  fault: (request: IncomingMessage) => Fault | null;
  close(): Promise<void>;
}

/** A proxy in front of an S3 server that disturbs what the test says. */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const port = await freePort();
  const seen: string[] = [];
  const answered: FaultyProxy['answered'] = [];
  const server = createServer((incoming, outgoing) => {
    const name = `${incoming.method} ${incoming.url}`;
    seen.push(name);
    const fault = proxy.fault(incoming);
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => undefined);
    incoming.on('end', () => {
      if (fault === 'hang') return;
      if (fault === 'reset') return void incoming.socket.destroy();
      if (fault === 'slow-down') return slowDown(outgoing);
      forward(target, incoming, Buffer.concat(chunks), outgoing, fault, (bytes) => {
        answered.push({ request: name, bytes });
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const proxy: FaultyProxy = {
    endpoint: `http://127.0.0.1:${port}`,
    seen,
    answered,
    fault: () => null,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

/** A fault that strikes the first `times` requests that `matches`, then no more. */
export function first(
  times: number,
  fault: Fault,
  matches: (request: IncomingMessage) => boolean = () => true,
): (request: IncomingMessage) => Fault | null {
  let left = times;
  return (incoming) => (matches(incoming) && left-- > 0 ? fault : null);
}

function slowDown(outgoing: ServerResponse): void {
  outgoing.writeHead(503, { 'content-type': 'application/xml' });
  outgoing.end(
    '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>',
  );
}

function forward(
  target: string,
  incoming: IncomingMessage,
  body: Buffer,
  outgoing: ServerResponse,
  fault: Fault | null,
  onAnswer: (bytes: number) => void,
): void {
  // The host is part of the signature: it stays that of the proxy.
  const options = { method: incoming.method ?? 'GET', headers: incoming.headers };
  const passed = request(new URL(incoming.url ?? '/', target), options, (answer) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('end', () => {
      if (fault === 'lose-answer') return void incoming.socket.destroy();
      const whole = Buffer.concat(chunks);
      onAnswer(whole.length);
      if (fault === 'ignore-condition' && answer.statusCode === 412) {
        return void outgoing.writeHead(200, { etag: '"pretended"' }).end();
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      if (fault !== 'cut-body') return void outgoing.end(whole);
      outgoing.write(whole.subarray(0, whole.length >> 1), () => incoming.socket.destroy());
    });
  });
  passed.on('error', () => incoming.socket.destroy());
  passed.end(body);
}
