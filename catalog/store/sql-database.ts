/** A row by column names. Integers come as `number` within the safe range (else as `bigint`), JSON and text as `string`. */
export type Row = Readonly<Record<string, unknown>>;

export type SqlValue = string | number | bigint | null;

/**
 * Runs statements that SQLite and PostgreSQL have in common: `?` stands for a value, `?1` for the first one wherever it is repeated.
 * Text compares by code points. Errors: `unavailable`, `corrupt`; `invalid-argument` for text that a database cannot hold.
 */
export interface Sql {
  all(sql: string, ...values: SqlValue[]): Promise<readonly Row[]>;
  get(sql: string, ...values: SqlValue[]): Promise<Row | undefined>;
  /** Rows changed. */
  run(sql: string, ...values: SqlValue[]): Promise<number>;
}

/** A database of the catalog. Statements outside of a transaction see what is committed, and nothing of one that runs. */
export interface SqlDatabase extends Sql {
  /** Where it is, for messages and logs: a path, or a URL without its password. */
  readonly where: string;
  readonly kind: 'sqlite' | 'postgres';
  /**
   * Runs `work` as one transaction that no other change comes between; whatever it throws undoes it. `work` awaits nothing but its
   * statements: the changes of other callers wait for it. Errors besides those of the work: `unavailable` (nothing was applied),
   * `unknown-outcome` (it failed while it committed).
   *
   * @param only names of what `work` changes and decides by. Work with other names, of another server, may then run at the same time.
   *   Without it, nothing does.
   */
  transaction<T>(work: (sql: Sql) => Promise<T>, only?: readonly string[]): Promise<T>;
  /** Runs reads that all see the same moment, on a connection of their own: others write meanwhile. Errors: `unavailable`. */
  snapshot<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** Of the pool that reads, where there is one; `waiting` are requests. */
  connections?(): { readonly used: number; readonly idle: number; readonly waiting: number };
  close(): Promise<void>;
}
