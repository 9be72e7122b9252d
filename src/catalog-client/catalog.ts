import type { PartitionSpec } from '../iceberg/partition-spec.ts';
import type { TableRequirement } from '../iceberg/requirements.ts';
import type { Schema } from '../iceberg/schema.ts';
import type { SortOrder } from '../iceberg/sort-order.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { TableUpdate } from '../iceberg/updates.ts';

/** A namespace's levels, outermost first. */
export type Namespace = readonly string[];

export interface TableIdentifier {
  readonly namespace: Namespace;
  readonly name: string;
}

export interface LoadedTable {
  readonly identifier: TableIdentifier;
  /** Absent for a staged create. */
  readonly metadataLocation?: string;
  readonly metadata: TableMetadata;
  readonly config: Readonly<Record<string, string>>;
}

export interface CreateTableRequest {
  readonly name: string;
  readonly location?: string;
  readonly schema: Schema;
  readonly 'partition-spec'?: PartitionSpec;
  readonly 'write-order'?: SortOrder;
  readonly 'stage-create'?: boolean;
  readonly properties?: Readonly<Record<string, string>>;
}

export interface TableCommit {
  readonly identifier: TableIdentifier;
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
}

/**
 * An Iceberg REST catalog, as its protocol has it. Commits end in three ways: they return (committed), throw
 * `conflict`, or throw `unknown-outcome`. Others: `not-found`, `already-exists`, `invalid-argument`, `unavailable`.
 */
export interface Catalog {
  listNamespaces(parent?: Namespace): Promise<Namespace[]>;
  createNamespace(namespace: Namespace, properties?: Readonly<Record<string, string>>): Promise<void>;
  loadNamespace(namespace: Namespace): Promise<Readonly<Record<string, string>>>;
  namespaceExists(namespace: Namespace): Promise<boolean>;
  updateNamespace(
    namespace: Namespace,
    changes: { readonly updates?: Readonly<Record<string, string>>; readonly removals?: readonly string[] },
  ): Promise<void>;
  dropNamespace(namespace: Namespace): Promise<void>;
  listTables(namespace: Namespace): Promise<TableIdentifier[]>;
  createTable(namespace: Namespace, request: CreateTableRequest): Promise<LoadedTable>;
  loadTable(identifier: TableIdentifier): Promise<LoadedTable>;
  tableExists(identifier: TableIdentifier): Promise<boolean>;
  dropTable(identifier: TableIdentifier, options?: { readonly purge?: boolean }): Promise<void>;
  commitTable(commit: TableCommit): Promise<LoadedTable>;
  /** All or none. */
  commitTransaction(commits: readonly TableCommit[]): Promise<void>;
  /**
   * Sends one request below the catalog's own prefix (`/lake/v1/…`, no part of the Iceberg protocol) and
   * returns the decoded JSON. Fails with `unsupported` where the catalog is not a Lakewarden one.
   */
  extension<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T>;
  close(): Promise<void>;
}
