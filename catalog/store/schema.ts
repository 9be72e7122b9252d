import { LakeError } from '../../src/errors.ts';
import { ACCESS_SCHEMA } from './access-schema.ts';
import { SWITCHES_DDL } from './maintenance.ts';
import { PLACES_SCHEMA } from './table-places.ts';

/** What version 3 added. */
const VERSION_3 = `
CREATE TABLE IF NOT EXISTS views (
  namespace TEXT NOT NULL REFERENCES namespaces (levels),
  name TEXT NOT NULL,
  uuid TEXT NOT NULL,
  metadata_location TEXT NOT NULL,
  PRIMARY KEY (namespace, name)
) STRICT;
CREATE INDEX IF NOT EXISTS tables_of_uuid ON tables (uuid);
CREATE TABLE IF NOT EXISTS dropped_tables (
  drop_id TEXT PRIMARY KEY,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  uuid TEXT NOT NULL,
  metadata_location TEXT NOT NULL,
  dropped_at_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  note TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS dropped_tables_of_uuid ON dropped_tables (uuid);
CREATE TABLE IF NOT EXISTS purge_files (
  drop_id TEXT NOT NULL REFERENCES dropped_tables (drop_id),
  object TEXT NOT NULL,
  location TEXT NOT NULL,
  PRIMARY KEY (drop_id, object)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS idempotency_keys (
  key TEXT PRIMARY KEY,
  digest TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  status INTEGER,
  body TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS idempotency_keys_age ON idempotency_keys (created_at_ms);
CREATE TABLE IF NOT EXISTS metrics_reports (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  table_uuid TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  received_at_ms INTEGER NOT NULL,
  report TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS metrics_reports_of_table ON metrics_reports (table_uuid, seq);
`;

/** What version 4 added. */
const VERSION_4 = `${ACCESS_SCHEMA}${SWITCHES_DDL}${PLACES_SCHEMA}`;

/** Tables of the catalog's database. Namespaces are their levels joined by U+001F. */
const VERSION_0 = `
CREATE TABLE IF NOT EXISTS namespaces (
  levels TEXT PRIMARY KEY,
  properties TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tables (
  namespace TEXT NOT NULL REFERENCES namespaces (levels),
  name TEXT NOT NULL,
  uuid TEXT NOT NULL,
  metadata_location TEXT NOT NULL,
  PRIMARY KEY (namespace, name)
) STRICT;
CREATE TABLE IF NOT EXISTS leases (
  table_uuid TEXT PRIMARY KEY,
  lease_id TEXT NOT NULL UNIQUE,
  holder TEXT NOT NULL,
  expires_at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS relocations (
  relocation_id TEXT PRIMARY KEY,
  lease_id TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  table_uuid TEXT NOT NULL,
  grace_ms INTEGER NOT NULL,
  plan TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  swapped_at_ms INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS relocations_of_table ON relocations (table_uuid, state);
CREATE TABLE IF NOT EXISTS moves (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  relocation_id TEXT NOT NULL REFERENCES relocations (relocation_id),
  from_location TEXT NOT NULL,
  to_location TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  size INTEGER NOT NULL,
  from_tier TEXT,
  to_tier TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS moves_of_relocation ON moves (relocation_id, seq);
CREATE TABLE IF NOT EXISTS ledger (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  table_uuid TEXT NOT NULL,
  location TEXT NOT NULL,
  kind TEXT NOT NULL,
  relocation_id TEXT NOT NULL REFERENCES relocations (relocation_id),
  retired_at_ms INTEGER NOT NULL,
  delete_after_ms INTEGER NOT NULL,
  deleted_at_ms INTEGER,
  UNIQUE (table_uuid, location)
) STRICT;
CREATE INDEX IF NOT EXISTS ledger_of_location ON ledger (location);
CREATE INDEX IF NOT EXISTS ledger_due ON ledger (delete_after_ms) WHERE deleted_at_ms IS NULL;
CREATE TABLE IF NOT EXISTS fences (
  table_uuid TEXT NOT NULL,
  ref TEXT NOT NULL,
  snapshot_id TEXT NOT NULL,
  until_ms INTEGER NOT NULL,
  after_sequence_number INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (table_uuid, ref, snapshot_id)
) STRICT;
`;

/**
 * What brings a database of a version to the next one, in SQLite's words: `ddlForPostgres` has PostgreSQL's. Texts compare by code points,
 * INTEGER has 64 bits. Repeating a step does no harm.
 */
const STEPS: ReadonlyMap<number, { readonly to: number; readonly ddl: string }> = new Map([
  [0, { to: 3, ddl: `${VERSION_0}${VERSION_3}` }],
  [1, { to: 2, ddl: 'ALTER TABLE fences ADD COLUMN after_sequence_number INTEGER NOT NULL DEFAULT 0;' }],
  [2, { to: 3, ddl: VERSION_3 }],
  [3, { to: 4, ddl: VERSION_4 }],
]);

/** The version that this program works with. */
export const SCHEMA_VERSION = 4;

/** What a database of `version` lacks, in order, and the version that each step makes; null for a version that this program does not know. */
export function stepsFrom(version: number): readonly { readonly to: number; readonly ddl: string }[] | null {
  const steps: { readonly to: number; readonly ddl: string }[] = [];
  for (let at = version; at !== SCHEMA_VERSION; at = steps.at(-1)?.to ?? at) {
    const step = STEPS.get(at);
    if (step === undefined) return null;
    steps.push(step);
  }
  return steps;
}

/** The same tables in PostgreSQL's words. */
export function ddlForPostgres(ddl: string): string {
  return ddl
    .replaceAll(/\) STRICT(, WITHOUT ROWID)?;/g, ');')
    .replaceAll('INTEGER PRIMARY KEY AUTOINCREMENT', 'BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY')
    .replaceAll(/\bINTEGER\b/g, 'BIGINT')
    .replaceAll(/\bTEXT\b/g, 'TEXT COLLATE "C"');
}

/** A database that a newer version of this program made. */
export function foreignSchema(where: string, version: number): LakeError {
  return new LakeError(
    'unsupported',
    `The catalog database has schema version ${version}, this program knows up to ${SCHEMA_VERSION}`,
    {
      where,
      hint: 'Use the version of Lakewarden that wrote it, or a newer one. It was left as it is.',
    },
  );
}
