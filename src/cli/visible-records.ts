/**
 * Rows that a reader of a snapshot sees, by its summary: rows in data files less those that position deletes name
 * (equality deletes name no rows, so with them it is an upper bound).
 */
export function visibleRecords(summary: Readonly<Record<string, string>> | undefined): number {
  return Number(summary?.['total-records'] ?? 0) - Number(summary?.['total-position-deletes'] ?? 0);
}
