import type { Catalog, TableIdentifier } from '../catalog-client/catalog.ts';
import type { Snapshot } from '../iceberg/snapshot.ts';

/** A move's kinds, as the journal has them: `delete` is a rewritten position delete file. */
export type MoveKind = 'data' | 'delete' | 'manifest' | 'manifest-list';

/** One object's old and new location, journaled before the new one is made. `size` in bytes. */
export interface JournaledMove {
  readonly from: string;
  readonly to: string;
  readonly kind: MoveKind;
  readonly size: number;
  readonly 'from-tier'?: string;
  readonly 'to-tier'?: string;
}

/** `finished`: swapped, and its old objects are gone. `cleaned`: rolled back, and what it had made is gone. */
export type RelocationState = 'copying' | 'swapped' | 'finished' | 'rolled-back' | 'cleaned';

/** Who moved files, and why. */
export interface RelocationReason {
  readonly command: 'apply' | 'restore' | 'undo';
  /** For people: the policy, or what was asked for. */
  readonly text: string;
  /** The relocation that an undo takes back. */
  readonly undoes?: string;
}

/** The partitions that go from one tier to another, summed up. */
export interface JournaledWay {
  readonly from: string;
  readonly to: string;
  readonly files: number;
  readonly partitions: number;
  readonly first: string;
  readonly last: string;
}

export interface JournaledReason extends RelocationReason {
  readonly moves: readonly JournaledWay[];
}

/** What this version keeps in the journal's free-form `plan`. */
export interface RelocationPlan {
  /** Data files that the journal holds once step 3 is complete. */
  readonly 'data-files': number;
  readonly bytes: number;
  /** Absent in the journals of earlier versions. */
  readonly reason?: JournaledReason;
  /** Names of new objects among the table's metadata begin with this. */
  readonly 'metadata-prefix': string;
  /** Every object that the relocation makes has a location that begins with one of these. */
  readonly prefixes: readonly string[];
}

export interface Relocation {
  readonly 'relocation-id': string;
  readonly namespace: readonly string[];
  readonly table: string;
  readonly 'table-uuid': string;
  readonly 'grace-ms': number;
  readonly plan: RelocationPlan;
  readonly state: RelocationState;
}

/** A relocation as the journal tells it afterwards. Wall clock, ms. */
export interface PastRelocation extends Relocation {
  readonly 'created-at-ms': number;
  readonly 'swapped-at-ms': number | null;
}

export interface Lease {
  readonly 'lease-id': string;
  readonly 'expires-at-ms': number;
}

export interface SwapRequest {
  readonly 'lease-id': string;
  readonly 'base-metadata-location': string;
  readonly snapshots: readonly { readonly 'snapshot-id': bigint; readonly 'manifest-list': string }[];
  readonly fences: readonly { readonly ref: string; readonly snapshot: Snapshot }[];
  readonly retired: readonly { readonly location: string; readonly kind: MoveKind }[];
}

export interface LedgerEntry {
  readonly location: string;
  readonly kind: MoveKind;
  readonly 'table-uuid': string;
  readonly namespace: readonly string[];
  readonly table: string;
  readonly 'relocation-id': string;
  readonly 'retired-at-ms': number;
  readonly 'delete-after-ms': number;
}

type Page<T, K extends string> = {
  readonly 'next-page-token'?: string | null;
  /** The clock that the times in it are of, wall clock, ms; absent from earlier versions and other lists than the ledger. */
  readonly 'now-ms'?: number;
} & { readonly [key in K]: readonly T[] };

const MOVES_PER_CALL = 5000;
const DELETED_PER_CALL = 1000;

/** The journal, leases and ledger of the catalog (`/lake/v1`). Errors: `conflict`, `not-found`, `unavailable`, `unknown-outcome`. */
export class Journal {
  readonly #catalog: Catalog;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  acquireLease(tableUuid: string, holder: string, ttlMs: number): Promise<Lease> {
    return this.#post('leases', { 'table-uuid': tableUuid, holder, 'ttl-ms': ttlMs });
  }

  renewLease(leaseId: string, ttlMs: number): Promise<Lease> {
    return this.#post(`leases/${leaseId}/renew`, { 'ttl-ms': ttlMs });
  }

  async releaseLease(leaseId: string): Promise<void> {
    await this.#catalog.extension('DELETE', `/lake/v1/leases/${leaseId}`);
  }

  async begin(
    relocation: Omit<Relocation, 'state' | 'namespace' | 'table'> & { readonly identifier: TableIdentifier },
    leaseId: string,
  ): Promise<void> {
    const { identifier, ...rest } = relocation;
    const body = { ...rest, namespace: identifier.namespace, table: identifier.name, 'lease-id': leaseId };
    await this.#post('relocations', body);
  }

  relocation(id: string): Promise<Relocation> {
    return this.#catalog.extension('GET', `/lake/v1/relocations/${id}`);
  }

  /** The relocations of all tables in one state, oldest first. */
  relocationsIn(state: RelocationState): Promise<readonly PastRelocation[]> {
    return this.#relocations(`state=${state}`);
  }

  /** All relocations of a table, or of all tables, oldest first. */
  relocationsOf(tableUuid?: string): Promise<readonly PastRelocation[]> {
    return this.#relocations(tableUuid === undefined ? '' : `table-uuid=${encodeURIComponent(tableUuid)}`);
  }

  /** Errors besides: `conflict` if the lease on the table is lost. */
  async addMoves(id: string, moves: readonly JournaledMove[], leaseId: string): Promise<void> {
    for (let at = 0; at < moves.length; at += MOVES_PER_CALL) {
      const batch = moves.slice(at, at + MOVES_PER_CALL);
      await this.#post(`relocations/${id}/moves`, { 'lease-id': leaseId, moves: batch });
    }
  }

  async *moves(id: string): AsyncIterable<JournaledMove> {
    yield* this.#pages<JournaledMove, 'moves'>(`relocations/${id}/moves?`, 'moves');
  }

  async swap(id: string, request: SwapRequest): Promise<void> {
    await this.#post(`relocations/${id}/swap`, request);
  }

  async setState(id: string, state: 'rolled-back' | 'finished' | 'cleaned', leaseId?: string): Promise<void> {
    await this.#post(`relocations/${id}/state`, {
      state,
      ...(leaseId === undefined ? {} : { 'lease-id': leaseId }),
    });
  }

  /** Retired objects: those due at `dueBeforeMs`, or all that still stand. */
  async *ledger(dueBeforeMs?: number): AsyncIterable<LedgerEntry> {
    const due = dueBeforeMs === undefined ? '' : `due-before-ms=${dueBeforeMs}&`;
    yield* this.#pages<LedgerEntry, 'entries'>(`ledger?${due}`, 'entries');
  }

  /** All retired objects that still stand, page by page. */
  ledgerPages(): AsyncIterable<Page<LedgerEntry, 'entries'>> {
    return this.#wholePages('ledger?');
  }

  async markDeleted(locations: readonly string[]): Promise<void> {
    for (let at = 0; at < locations.length; at += DELETED_PER_CALL) {
      await this.#post('ledger/deleted', { locations: locations.slice(at, at + DELETED_PER_CALL) });
    }
  }

  async #relocations(filter: string): Promise<readonly PastRelocation[]> {
    const found = await this.#catalog.extension<{ relocations: readonly PastRelocation[] }>(
      'GET',
      `/lake/v1/relocations?${filter}`,
    );
    return found.relocations;
  }

  #post<T>(path: string, body: unknown): Promise<T> {
    return this.#catalog.extension<T>('POST', `/lake/v1/${path}`, body);
  }

  async *#pages<T, K extends string>(path: string, key: K): AsyncIterable<T> {
    for await (const page of this.#wholePages<T, K>(path)) yield* page[key];
  }

  async *#wholePages<T, K extends string>(path: string): AsyncIterable<Page<T, K>> {
    let token: string | null | undefined = '';
    while (token !== undefined && token !== null) {
      const from = token === '' ? '' : `page-token=${encodeURIComponent(token)}`;
      const page: Page<T, K> = await this.#catalog.extension('GET', `/lake/v1/${path}${from}`);
      yield page;
      token = page['next-page-token'];
    }
  }
}
