import type { Dice } from './dice.ts';
import type { Places } from './places.ts';

export interface Name {
  readonly namespace: readonly string[];
  readonly name: string;
}

// biome-ignore lint/suspicious/noExplicitAny: metadata and bodies as they came over the wire
export type Json = any;

export interface FuzzRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A value to be written as JSON, or the text itself. */
  readonly body?: unknown;
  readonly raw?: string;
  /** What it was meant to be, for whoever reads a failure. */
  readonly says: string;
  /** What a 2xx answer means for the world. */
  readonly done?: (world: World, answer: FuzzAnswer) => void;
}

export interface FuzzAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly json: Json;
}

export const keyOf = ({ namespace, name }: Name): string => [...namespace, name].join('\u001f');

/** What the catalog has to hold, told by its own answers. */
export class World {
  readonly dice: Dice;
  readonly pool: readonly unknown[];
  readonly places: Places;
  readonly namespaces = new Map<string, readonly string[]>();
  /** Metadata as the last answer told it. */
  readonly tables = new Map<
    string,
    { readonly name: Name; readonly location: string; readonly metadata: Json }
  >();
  readonly views = new Map<string, Name>();
  readonly dropped: string[] = [];
  readonly planIds: string[] = [];
  readonly planTasks: string[] = [];
  readonly pageTokens: string[] = [''];
  readonly etags: string[] = ['*'];
  readonly keys: { readonly key: string; readonly request: FuzzRequest }[] = [];
  /** Ids of leases, relocations and whatever else was answered. */
  readonly ids: string[] = [];
  /** Metadata files that lie anywhere. */
  readonly metadataFiles: string[];

  constructor(dice: Dice, pool: readonly unknown[], places: Places, metadataFiles: readonly string[]) {
    this.dice = dice;
    this.pool = pool;
    this.places = places;
    this.metadataFiles = [...metadataFiles];
  }

  keep(list: string[], item: unknown): void {
    if (typeof item !== 'string') return;
    list.push(item);
    if (list.length > 50) list.splice(1, 1);
  }

  holdsTable(name: Name, answer: FuzzAnswer): void {
    const { metadata, 'metadata-location': location } = answer.json;
    this.tables.set(keyOf(name), { name, location, metadata });
    this.keep(this.metadataFiles, location);
    this.keep(this.etags, answer.headers['etag']);
  }
}
