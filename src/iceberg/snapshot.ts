export type SnapshotOperation = 'append' | 'replace' | 'overwrite' | 'delete';

/** A snapshot (spec: "Snapshots"). Snapshot ids are 64-bit and always bigint in memory. */
export interface Snapshot {
  readonly 'snapshot-id': bigint;
  readonly 'parent-snapshot-id'?: bigint;
  /** 0 in v1 tables, which have no sequence numbers. */
  readonly 'sequence-number': number;
  readonly 'timestamp-ms': number;
  readonly 'manifest-list': string;
  readonly summary: { readonly operation: SnapshotOperation } & Readonly<Record<string, string>>;
  readonly 'schema-id'?: number;
  /** v3: the first row id given out by this snapshot (spec: "Row Lineage"). */
  readonly 'first-row-id'?: number;
  /** v3: upper bound of the rows that got an id. */
  readonly 'added-rows'?: number;
  /** v3: id of the key that encrypts the manifest list's key metadata. */
  readonly 'key-id'?: string;
}
