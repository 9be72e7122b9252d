import { type AuditEntry, addAuditEntry, changeNoted, noteChange } from './access-audit.ts';
import { refuseInMaintenance } from './maintenance.ts';
import type { Sql, SqlDatabase } from './sql-database.ts';

/** Principals, roles, grants, keys and the audit log; what can be asked of them stands in the other `access-*.ts` files. */
export class AccessStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** To read by. */
  get sql(): Sql {
    return this.#database;
  }

  /**
   * Runs `work` as one transaction, with the audit log's line for it. Refused in maintenance: a right that is taken from somebody while the catalog
   * is moved would still be theirs in the new place. Errors: those of the work; see `SqlDatabase.transaction`.
   */
  change<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.changeAnyTime(async (sql) => {
      await refuseInMaintenance(sql);
      return work(sql);
    });
  }

  /** As `change`, in maintenance too: the switch itself, and keys that reads need. */
  async changeAnyTime<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const result = await this.#database.transaction(async (sql) => {
      const done = await work(sql);
      await noteChange(sql);
      return done;
    });
    changeNoted();
    return result;
  }

  /** Notes what is no change: a refusal, somebody who could not sign in. */
  async note(entry: AuditEntry): Promise<void> {
    // A line of its own, that nothing else depends on.
    await this.#database.transaction((sql) => addAuditEntry(sql, entry), [`audit ${entry.requestId}`]);
  }
}
