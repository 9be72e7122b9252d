import { plainLocation } from '../../src/storage/location.ts';
import type { S3Settings } from '../../src/storage/s3-settings.ts';

/** An S3 server of the lake, and the locations that it holds. */
export interface StoredAt {
  /** A tier with a server of its own; null for all other `s3://` locations. */
  readonly prefix: string | null;
  readonly settings: S3Settings;
}

/** Which S3 server holds which locations, as the lake's own store sees it (`openStore`). */
export class S3Servers {
  readonly #servers: readonly StoredAt[];

  constructor(servers: readonly StoredAt[]) {
    this.#servers = servers
      .map(({ prefix, settings }) => ({ prefix: prefix === null ? null : plainLocation(prefix), settings }))
      .sort((a, b) => (b.prefix?.length ?? 0) - (a.prefix?.length ?? 0));
  }

  /** All of them, once each. */
  get all(): readonly S3Settings[] {
    return [...new Map(this.#servers.map(({ settings }) => [serverKey(settings), settings])).values()];
  }

  /** Null for a location that is not on S3. */
  of(location: string): S3Settings | null {
    const plain = plainLocation(location);
    if (!plain.startsWith('s3://')) return null;
    const holds = ({ prefix }: StoredAt) =>
      prefix === null || plain === prefix || plain.startsWith(`${prefix}/`);
    return this.#servers.find(holds)?.settings ?? null;
  }
}

/** The same text for settings that are the same. */
export function serverKey(settings: S3Settings): string {
  return JSON.stringify(Object.entries(settings).sort());
}
