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

/** Tables of the catalog's database. Namespaces are their levels joined by U+001F. */
export const SCHEMA = `
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
${VERSION_3}PRAGMA user_version = 3;
`;

/** What brings a database of an older version to the next one, by the older version. */
export const MIGRATIONS: ReadonlyMap<number, string> = new Map([
  [
    1,
    'ALTER TABLE fences ADD COLUMN after_sequence_number INTEGER NOT NULL DEFAULT 0; PRAGMA user_version = 2;',
  ],
  [2, `${VERSION_3}PRAGMA user_version = 3;`],
]);

/** The version that `SCHEMA` makes. */
export const SCHEMA_VERSION = 3;
