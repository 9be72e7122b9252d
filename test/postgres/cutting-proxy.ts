import { createServer, connect as dial, type Server, type Socket } from 'node:net';

/** Where in the talk between a client and PostgreSQL something happens. */
export interface Cut {
  /** Which statement since `arm`, from 1; only those of connections that have begun a transaction count. */
  readonly statement: number;
  /**
   * `before`: the statement does not arrive. `after`: it is carried out, and its answer does not arrive. A function: runs before the
   * statement is passed on.
   */
  readonly when: 'before' | 'after' | (() => Promise<void>);
}

/** What passed: the texts of simple queries, `execute` for prepared statements. */
type Statement = string;

const QUERY = 0x51;
const EXECUTE = 0x45;
const SYNC = 0x53;

/** A TCP proxy before PostgreSQL that reads along, and cuts a connection at a chosen statement. */
export class CuttingProxy {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #cut: Cut | null = null;
  #passed: Statement[] = [];
  #at: Statement | null = null;
  #isDown = false;

  private constructor(target: URL) {
    this.#target = { host: target.hostname, port: Number(target.port) };
    this.#server = createServer((client) => this.#join(client));
  }

  /** @param url of the server */
  static async before(url: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(new URL(url));
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', () => resolve()));
    return proxy;
  }

  /** The same URL, through the proxy. */
  through(url: string): string {
    const address = this.#server.address();
    const parsed = new URL(url);
    if (address !== null && typeof address !== 'string') parsed.host = `127.0.0.1:${address.port}`;
    return parsed.href;
  }

  arm(cut: Cut): void {
    this.#cut = cut;
    this.#passed = [];
    this.#at = null;
  }

  /** The statement that was cut at; null if it did not come so far. */
  get cutAt(): Statement | null {
    return this.#at;
  }

  /** Cuts all connections and refuses others, or takes them again. */
  set isDown(isDown: boolean) {
    this.#isDown = isDown;
    if (isDown) for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.isDown = true;
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket): void {
    if (this.#isDown) {
      client.destroy();
      return;
    }
    const server = dial(this.#target.port, this.#target.host);
    const cutBoth = () => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', cutBoth);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        cutBoth();
      });
    }
    let isMuted = false;
    server.on('data', (chunk) => {
      if (isMuted) cutBoth();
      else client.write(chunk);
    });
    this.#readAlong(client, server, cutBoth, () => {
      isMuted = true;
    });
  }

  #readAlong(client: Socket, server: Socket, cutBoth: () => void, mute: () => void): void {
    const talk = { hasStarted: false, isWriting: false, mutesAtSync: false };
    let waiting = Promise.resolve();
    let rest = Buffer.alloc(0);
    const take = async (message: Buffer, isStartup: boolean): Promise<void> => {
      const statement = isStartup ? null : statementOf(message);
      const cut = statement === null ? null : this.#hit(statement, talk);
      if (cut === 'before') return cutBoth();
      if (typeof cut === 'function') await cut();
      if (cut === 'after') talk.mutesAtSync = true;
      const isLast = message[0] === SYNC || message[0] === QUERY;
      if (talk.mutesAtSync && !isStartup && isLast) mute();
      server.write(message);
    };
    client.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        // The first message has no type before its length.
        const head = talk.hasStarted ? 1 : 0;
        if (rest.length < head + 4) return;
        const length = head + rest.readInt32BE(head);
        if (rest.length < length) return;
        const message = rest.subarray(0, length);
        const isStartup = !talk.hasStarted;
        rest = rest.subarray(length);
        talk.hasStarted = true;
        waiting = waiting.then(() => take(message, isStartup));
      }
    });
  }

  #hit(statement: Statement, talk: { isWriting: boolean }): Cut['when'] | null {
    if (/^BEGIN ISOLATION LEVEL READ COMMITTED/.test(statement)) talk.isWriting = true;
    if (!talk.isWriting || this.#cut === null) return null;
    this.#passed.push(statement);
    if (this.#passed.length !== this.#cut.statement) return null;
    const { when } = this.#cut;
    this.#cut = null;
    this.#at = statement;
    return when;
  }
}

function statementOf(message: Buffer): Statement | null {
  if (message[0] === QUERY) return message.subarray(5, -1).toString();
  return message[0] === EXECUTE ? 'execute' : null;
}
