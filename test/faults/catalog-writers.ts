import type { Catalog, LoadedTable } from '../../src/catalog-client/catalog.ts';
import { RestCatalog } from '../../src/catalog-client/rest-client.ts';
import { systemClock } from '../../src/clock.ts';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';
import { parseTableMetadata, tableMetadataOf } from '../../src/iceberg/metadata-json.ts';
import { currentSnapshot, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { openStore } from '../../src/storage/store.ts';
import { liveEntries } from '../../src/table/manifests.ts';
import { newChange } from '../../src/table/snapshot-files.ts';
import { stageSnapshot } from '../../src/table/stage-snapshot.ts';
import { Table } from '../../src/table/table.ts';
import type { CatalogServers } from './catalog-servers.ts';
import { numbersFrom } from './random-history.ts';

const TABLE = { namespace: ['race'], name: 'table' };
const PATH = '/v1/namespaces/race/tables/table';

export interface Race {
  readonly writers: number;
  /** Of each writer. */
  readonly commits: number;
  /** One commit in so many appends a snapshot, the others set a property. */
  readonly appendEvery: number;
  /** One server is killed after so many commits. */
  readonly killEvery: number;
  /** Part of the requests that meet a fault. */
  readonly faults: number;
  readonly seed: number;
}

/** What became of a request as its client was told. */
type Told =
  | { readonly outcome: 'applied'; readonly metadata: TableMetadata }
  | { readonly outcome: 'refused'; readonly status: number }
  | { readonly outcome: 'unknown' };

/** How often each thing happened: a race in which nothing did would prove nothing. */
export interface Tally {
  applied: number;
  unknown: number;
  /** Unknown, and found to have been applied. */
  found: number;
  sentAgain: number;
  conflicts: number;
  busy: number;
  kills: number;
}

/** One attempt of a commit, by which it is known again. */
interface Attempt {
  readonly body: string;
  /** Unlike that of any other attempt. */
  readonly mark: string;
  isIn(metadata: TableMetadata): boolean;
}

/** 409 conflicts, 429 and 503 refusals to work: nothing was applied. */
const REFUSALS: readonly number[] = [409, 429, 503];

/** Many writers on one table, and what has to be true of it then. */
export class WriterRace {
  readonly tally: Tally = {
    applied: 0,
    unknown: 0,
    found: 0,
    sentAgain: 0,
    conflicts: 0,
    busy: 0,
    kills: 0,
  };
  readonly #race: Race;
  readonly #servers: CatalogServers;
  readonly #catalog: Catalog;
  readonly #objects: ObjectStore = openStore();
  readonly #random: () => number;
  /** Marks of the commits of each writer that were applied, in order. */
  readonly #applied = new Map<number, string[]>();
  /** Marks of attempts of which a client was told, or found out, that they were not applied. */
  readonly #failed = new Set<string>();
  #kills: Promise<void> = Promise.resolve();

  constructor(race: Race, servers: CatalogServers) {
    this.#race = race;
    this.#servers = servers;
    this.#random = numbersFrom(race.seed);
    this.#catalog = new RestCatalog({ uri: servers.proxies[0]?.endpoint ?? '' });
  }

  async run(): Promise<void> {
    await this.#catalog.createNamespace(TABLE.namespace);
    await this.#catalog.createTable(TABLE.namespace, {
      name: TABLE.name,
      schema: {
        type: 'struct',
        'schema-id': 0,
        fields: [{ id: 1, name: 'id', required: false, type: 'long' }],
      },
    });
    const kinds = ['lose-answer', 'cut-body', 'reset'] as const;
    for (const proxy of this.#servers.proxies) {
      proxy.fault = () =>
        this.#random() < this.#race.faults
          ? (kinds[Math.floor(this.#random() * kinds.length)] ?? null)
          : null;
    }
    await Promise.all(Array.from({ length: this.#race.writers }, (_, at) => this.#write(at)));
    for (const proxy of this.#servers.proxies) proxy.fault = () => null;
    await this.#kills;
    await this.#servers.up();
    this.tally.kills = this.#servers.kills;
  }

  /** A writer sends keys with its requests or looks for itself, by turns. */
  async #write(writer: number): Promise<void> {
    const marks: string[] = [];
    this.#applied.set(writer, marks);
    const usesKeys = writer % 2 === 0;
    for (let at = 1; at <= this.#race.commits; at++) {
      const attempts =
        at % this.#race.appendEvery === 0 ? await this.#appends(writer, at) : this.#properties(writer, at);
      marks.push(await this.#commit(attempts, usesKeys));
      this.#countCommit();
    }
  }

  async #commit(next: () => Promise<Attempt>, usesKeys: boolean): Promise<string> {
    for (;;) {
      const attempt = await next();
      const isApplied = usesKeys ? await this.#sendWithKey(attempt) : await this.#sendAndLook(attempt);
      if (isApplied) return attempt.mark;
      this.#failed.add(attempt.mark);
    }
  }

  /** After an unknown outcome the same request is sent again under the same key, until the server says what became of it. */
  async #sendWithKey(attempt: Attempt): Promise<boolean> {
    const key = systemClock.uuid();
    let isInDoubt = false;
    for (;;) {
      const told = await this.#send(attempt, key);
      if (told.outcome === 'applied') return true;
      if (told.outcome === 'refused' && !(isInDoubt && told.status !== 409)) return false;
      isInDoubt ||= told.outcome === 'unknown';
      this.tally.sentAgain++;
      await this.#servers.up();
    }
  }

  async #sendAndLook(attempt: Attempt): Promise<boolean> {
    const told = await this.#send(attempt, null);
    if (told.outcome !== 'unknown') return told.outcome === 'applied';
    // Until the killed server is up again, its last transaction has ended one way or the other.
    await this.#servers.up();
    const isThere = attempt.isIn((await this.#load()).metadata);
    if (isThere) this.tally.found++;
    return isThere;
  }

  async #send(attempt: Attempt, key: string | null): Promise<Told> {
    const headers = {
      'content-type': 'application/json',
      ...(key === null ? {} : { 'idempotency-key': key }),
    };
    const told = await this.#ask({ method: 'POST', headers, body: attempt.body });
    if (told.outcome === 'unknown') this.tally.unknown++;
    if (told.outcome === 'refused' && told.status === 409) this.tally.conflicts++;
    if (told.outcome === 'refused' && told.status !== 409) this.tally.busy++;
    if (told.outcome === 'applied' && !attempt.isIn(told.metadata)) {
      throw new Error(`the answer to a commit does not hold it: ${attempt.mark}`);
    }
    return told;
  }

  async #ask(init: RequestInit): Promise<Told> {
    const { proxies } = this.#servers;
    const proxy = proxies[Math.floor(this.#random() * proxies.length)];
    try {
      const answer = await fetch(`${proxy?.endpoint}${PATH}`, init);
      const text = await answer.text();
      if (answer.ok) return { outcome: 'applied', metadata: metadataOf(text).metadata };
      if (REFUSALS.includes(answer.status)) return { outcome: 'refused', status: answer.status };
      if (answer.status >= 500) return { outcome: 'unknown' };
      throw new Refusal(`${answer.status} ${text}`);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      return { outcome: 'unknown' };
    }
  }

  async #load(): Promise<LoadedTable> {
    for (;;) {
      const told = await this.#ask({ method: 'GET' });
      if (told.outcome === 'applied') return { identifier: TABLE, metadata: told.metadata, config: {} };
      await this.#servers.up();
    }
  }

  #properties(writer: number, at: number): () => Promise<Attempt> {
    let number = 0;
    return async () => {
      const value = `${at}.${++number}`;
      const updates = [{ action: 'set-properties', updates: { [`writer-${writer}`]: value } }];
      return {
        body: stringifyJson({ requirements: [], updates }),
        mark: `${writer}: ${value}`,
        isIn: ({ properties }) => properties[`writer-${writer}`] === value,
      };
    };
  }

  /** Manifests are written once; a manifest list for each attempt. */
  async #appends(writer: number, at: number): Promise<() => Promise<Attempt>> {
    const ids = newChange(systemClock);
    const context = { catalog: this.#catalog, objects: this.#objects, clock: systemClock };
    const { location } = (await this.#load()).metadata;
    const dataFile = {
      content: 'data',
      filePath: `${location}/data/${writer}-${at}.parquet`,
      fileFormat: 'PARQUET',
      partition: [],
      recordCount: 1,
      fileSizeInBytes: 100,
    } as const;
    const added = [{ dataFile, specId: 0 }];
    return async () => {
      const table = new Table(context, await this.#load());
      const { requirements, updates, snapshot } = await stageSnapshot(table, ids, {
        operation: 'append',
        added,
      });
      const list = snapshot['manifest-list'];
      return {
        body: stringifyJson({ requirements, updates }),
        mark: list,
        isIn: ({ snapshots }) => snapshots.some((one) => one['manifest-list'] === list),
      };
    };
  }

  #countCommit(): void {
    this.tally.applied++;
    if (this.tally.applied % this.#race.killEvery !== 0) return;
    const at = this.tally.applied / this.#race.killEvery;
    this.#kills = this.#kills.then(() => this.#servers.up()).then(() => this.#servers.kill(at));
  }

  /** What is wrong with the table after the race; empty if nothing was lost, doubled, or applied against what a client was told. */
  async problems(): Promise<string[]> {
    const versions = await this.#versions();
    const last = versions.at(-1);
    if (last === undefined) return ['there is no table'];
    return [
      ...this.#wrongProperties(versions),
      ...this.#wrongSnapshots(last),
      ...(await this.#wrongFiles(last)),
      ...this.#againstWhatWasTold(versions),
    ];
  }

  /** Each state that the table ever had, oldest first: each metadata file names those before it. */
  async #versions(): Promise<TableMetadata[]> {
    const answer = await fetch(`${this.#servers.proxies[0]?.endpoint}${PATH}`);
    const { metadata, location } = metadataOf(await answer.text());
    const locations = [location];
    const logged = (one: TableMetadata) => one['metadata-log'].map((entry) => entry['metadata-file']);
    const versions = new Map([[location, metadata]]);
    for (let log = logged(metadata); log.length > 0; ) {
      locations.unshift(...log);
      for (const file of log) versions.set(file, await this.#version(file));
      const oldest = versions.get(log[0] ?? '');
      log = oldest === undefined ? [] : logged(oldest);
    }
    return locations.flatMap((one) => versions.get(one) ?? []);
  }

  async #version(location: string): Promise<TableMetadata> {
    return parseTableMetadata(new TextDecoder().decode(await this.#objects.get(location)));
  }

  /** A writer's property takes the values of its commits, each once and in their order: one lost, doubled or late would show. */
  #wrongProperties(versions: readonly TableMetadata[]): string[] {
    return [...this.#applied].flatMap(([writer, marks]) => {
      const expected = marks.filter((mark) => mark.startsWith(`${writer}: `));
      const seen: string[] = [];
      for (const { properties } of versions) {
        const value = properties[`writer-${writer}`];
        if (value !== undefined && seen.at(-1) !== `${writer}: ${value}`) seen.push(`${writer}: ${value}`);
      }
      return seen.join() === expected.join()
        ? []
        : [`writer ${writer}: ${seen.join()} instead of ${expected.join()}`];
    });
  }

  #appended(): ReadonlySet<string> {
    const marks = [...this.#applied.values()].flat();
    return new Set(marks.filter((mark) => mark.endsWith('.avro')));
  }

  #wrongSnapshots({ snapshots }: TableMetadata): string[] {
    const lists = snapshots.map((one) => one['manifest-list']);
    const appended = this.#appended();
    const problems = lists.filter((list) => !appended.has(list)).map((list) => `nobody appended ${list}`);
    for (const list of appended) {
      const times = lists.filter((one) => one === list).length;
      if (times !== 1) problems.push(`${list} is there ${times} times`);
    }
    snapshots.forEach((snapshot, at) => {
      if (snapshot['parent-snapshot-id'] !== snapshots[at - 1]?.['snapshot-id']) {
        problems.push(`snapshot ${snapshot['snapshot-id']} does not follow the one before`);
      }
    });
    return problems;
  }

  /** Each appended file is live once: its manifest was carried from snapshot to snapshot. */
  async #wrongFiles(metadata: TableMetadata): Promise<string[]> {
    const current = currentSnapshot(metadata);
    const times = new Map<string, number>();
    if (current !== undefined) {
      for await (const { entry } of liveEntries(this.#objects, current)) {
        const path = entry.dataFile.filePath;
        times.set(path, (times.get(path) ?? 0) + 1);
      }
    }
    const { writers, commits, appendEvery } = this.#race;
    const expected = Array.from({ length: writers }, (_, writer) =>
      Array.from({ length: Math.floor(commits / appendEvery) }, (_one, at) => {
        return `${metadata.location}/data/${writer}-${(at + 1) * appendEvery}.parquet`;
      }),
    ).flat();
    const wrong = expected.filter((path) => times.get(path) !== 1);
    return [
      ...wrong.map((path) => `${path} is live ${times.get(path) ?? 0} times`),
      ...(times.size === expected.length
        ? []
        : [`${times.size} files are live instead of ${expected.length}`]),
    ];
  }

  #againstWhatWasTold(versions: readonly TableMetadata[]): string[] {
    const states = new Set<string>();
    for (const { properties, snapshots } of versions) {
      for (const [name, value] of Object.entries(properties))
        states.add(`${name.replace('writer-', '')}: ${value}`);
      for (const snapshot of snapshots) states.add(snapshot['manifest-list']);
    }
    return [...this.#failed]
      .filter((mark) => states.has(mark))
      .map((mark) => `applied though it failed: ${mark}`);
  }
}

/** An answer that no fault explains. */
class Refusal extends Error {}

function metadataOf(text: string): { readonly metadata: TableMetadata; readonly location: string } {
  const answer = parseJson(text);
  if (typeof answer !== 'object' || answer === null || !('metadata' in answer)) throw new Error('no table');
  const location = 'metadata-location' in answer ? String(answer['metadata-location']) : '';
  return { metadata: tableMetadataOf(answer.metadata), location };
}
