import type { LoadedTable, TableIdentifier } from '../catalog-client/catalog.ts';
import { LakeError } from '../errors.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { LakeContext } from './context.ts';

/** An identifier as people write it: `gold.fct_flight`. */
export const tableName = (identifier: TableIdentifier): string =>
  [...identifier.namespace, identifier.name].join('.');

/** `a.b.table` as an identifier. Errors: `usage` for a name without a namespace. */
export function parseTableName(text: string): TableIdentifier {
  const levels = text.split('.');
  const name = levels.pop();
  if (!name || levels.length === 0 || levels.includes('')) {
    throw new LakeError('usage', `"${text}" is not a table's name`, {
      hint: 'Write it as NAMESPACE.TABLE, such as gold.fct_flight.',
    });
  }
  return { namespace: levels, name };
}

/** A table as it was when it was last loaded. */
export class Table {
  readonly context: LakeContext;
  readonly identifier: TableIdentifier;
  #loaded: LoadedTable;

  constructor(context: LakeContext, loaded: LoadedTable) {
    this.context = context;
    this.identifier = loaded.identifier;
    this.#loaded = loaded;
  }

  get name(): string {
    return tableName(this.identifier);
  }

  get metadata(): TableMetadata {
    return this.#loaded.metadata;
  }

  /** Where the metadata file lies; absent only for a table that is staged and not yet created. */
  get metadataLocation(): string | undefined {
    return this.#loaded.metadataLocation;
  }

  /** Loads the table anew from the catalog. Errors: `not-found`, `unavailable`. */
  async refresh(): Promise<this> {
    this.#loaded = await this.context.catalog.loadTable(this.identifier);
    return this;
  }
}

/** Loads a table. Errors: `not-found` (with the nearest name is the caller's work), `unavailable`. */
export async function openTable(context: LakeContext, identifier: TableIdentifier): Promise<Table> {
  return new Table(context, await context.catalog.loadTable(identifier));
}
