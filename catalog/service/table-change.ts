import type { TableRequirement } from '../../src/iceberg/requirements.ts';
import type { TableUpdate } from '../../src/iceberg/updates.ts';
import type { AuditedRequest } from '../store/access-audit.ts';
import type { AppliedRequest } from '../store/applied-request.ts';
import type { TableName } from '../store/catalog-store.ts';
import type { MetadataFile } from './metadata-files.ts';

/** One table's part of a commit. */
export interface TableChange {
  readonly table: TableName;
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
}

/** A commit to one table that may be made together with others, and whom to tell. */
export interface JoinedCommit {
  readonly change: TableChange;
  /** Requests with an idempotency key that the commit is made for. */
  readonly requests: readonly AppliedRequest[];
  readonly audited: readonly AuditedRequest[];
  readonly succeed: (file: MetadataFile) => void;
  readonly fail: (error: unknown) => void;
}
