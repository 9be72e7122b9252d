/**
 * Who may do what, and the audit log: tables that SQLite and PostgreSQL make of the same text, after `namespaces`. Times are
 * milliseconds since 1970. A grant on a namespace goes with it; grants on tables and views go by uuid, so that they follow a rename,
 * outlive a drop that is undone, and never pass to another table of the same name.
 */
export const ACCESS_SCHEMA = `
CREATE TABLE IF NOT EXISTS principals (
  principal_id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_at_ms BIGINT NOT NULL,
  disabled_at_ms BIGINT
);
CREATE TABLE IF NOT EXISTS principal_secrets (
  secret_id TEXT PRIMARY KEY,
  principal_id TEXT NOT NULL REFERENCES principals (principal_id) ON DELETE CASCADE,
  hash TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  expires_at_ms BIGINT
);
CREATE INDEX IF NOT EXISTS secrets_of_principal ON principal_secrets (principal_id);
CREATE TABLE IF NOT EXISTS roles (
  role_id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_at_ms BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS role_members (
  role_id TEXT NOT NULL REFERENCES roles (role_id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  member TEXT NOT NULL,
  PRIMARY KEY (role_id, kind, member)
);
CREATE INDEX IF NOT EXISTS roles_of_member ON role_members (kind, member);
CREATE TABLE IF NOT EXISTS access_grants (
  grantee TEXT NOT NULL,
  privilege TEXT NOT NULL,
  on_kind TEXT NOT NULL,
  on_object TEXT NOT NULL,
  namespace TEXT REFERENCES namespaces (levels) ON DELETE CASCADE,
  granted_by TEXT NOT NULL,
  granted_at_ms BIGINT NOT NULL,
  PRIMARY KEY (grantee, on_kind, on_object, privilege)
);
CREATE INDEX IF NOT EXISTS grants_on_object ON access_grants (on_kind, on_object);
CREATE INDEX IF NOT EXISTS grants_of_namespace ON access_grants (namespace);
CREATE TABLE IF NOT EXISTS signing_keys (
  key_id TEXT PRIMARY KEY,
  private_jwk TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS audit_log (
  audit_id TEXT PRIMARY KEY,
  at_ms BIGINT NOT NULL,
  principal TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  outcome TEXT NOT NULL,
  status INTEGER,
  address TEXT NOT NULL,
  request_id TEXT NOT NULL,
  note TEXT
);
CREATE INDEX IF NOT EXISTS audit_of_principal ON audit_log (principal, audit_id);
`;
