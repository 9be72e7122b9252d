/** What became of one purge. */
export interface PurgeOutcome {
  readonly id: string;
  /** Files deleted now. */
  readonly deleted: number;
  /** Files that stay: another table names them, or the ledger of moves has them. */
  readonly kept: number;
  /** Why the purge waits; null if it is done. */
  readonly waits: string | null;
}
