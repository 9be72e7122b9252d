import type { Clock } from '../../src/clock.ts';
import type { CatalogStore } from '../store/catalog-store.ts';
import type { CatalogSizes } from '../store/sizes.ts';
import type { CatalogMetrics } from './metrics.ts';

/** A store that says what it holds, and how its connections are used if it has a pool of them. */
export type SizedStore = Pick<CatalogStore, 'sizes' | 'findMaintenance'> & {
  connections(): { readonly used: number; readonly idle: number; readonly waiting: number } | null;
};

/** Counting is work for the database: however often Prometheus asks, it is done no more often. */
const COUNTED_MS = 15_000;

const RELOCATION_STATES = ['copying', 'swapped', 'finished', 'rolled-back', 'cleaned'];
const DROP_STATES = ['dropped', 'purging', 'listed', 'purged'];

/** Gauges of what the catalog holds and has to do. While the database does not answer they have no value, and the rest is told. */
export function addSizeGauges(metrics: CatalogMetrics, store: SizedStore, clock: Clock): void {
  const sizes = counted(store, clock);
  const plain = (name: string, help: string, of: (sizes: CatalogSizes) => number) =>
    metrics.gauge(name, help, [], async (gauge) => {
      gauge.reset();
      const known = await sizes();
      if (known !== null) gauge.set(of(known));
      else gauge.remove();
    });
  plain('namespaces', 'Namespaces of the catalog.', ({ namespaces }) => namespaces);
  plain('tables', 'Tables of the catalog.', ({ tables }) => tables);
  plain('views', 'Views of the catalog.', ({ views }) => views);
  plain('leases', 'Tables that somebody has the right to move at present.', ({ leases }) => leases);
  plain(
    'ledger_objects',
    'Objects that moves have retired and that still stand.',
    (all) => all.ledgerObjects,
  );
  plain(
    'ledger_bytes',
    'Size of what moves have retired, of moves that are not finished.',
    (all) => all.ledgerBytes,
  );
  plain(
    'ledger_overdue_objects',
    'Objects that moves have retired, whose grace has passed and that still stand.',
    (all) => all.ledgerOverdue,
  );
  plain(
    'relocations_interrupted',
    'Moves that stopped on their way and that nobody goes on with.',
    (all) => all.interrupted,
  );
  addMoves(metrics, sizes);
  const byState = (
    name: string,
    help: string,
    states: readonly string[],
    of: (sizes: CatalogSizes) => Readonly<Record<string, number>>,
  ) =>
    metrics.gauge(name, help, ['state'], async (gauge) => {
      gauge.reset();
      const known = await sizes();
      if (known === null) return;
      for (const state of states) gauge.set({ state }, of(known)[state] ?? 0);
    });
  byState('relocations', 'Moves of tables between tiers.', RELOCATION_STATES, (all) => all.relocations);
  byState(
    'dropped_tables',
    'Tables that were dropped; purging and listed ones wait for their purge.',
    DROP_STATES,
    (all) => all.droppedTables,
  );
  metrics.gauge('maintenance', '1 while the catalog is in maintenance.', [], async (gauge) => {
    const maintenance = await store.findMaintenance().catch(() => undefined);
    if (maintenance === undefined) gauge.remove();
    else gauge.set(maintenance === null ? 0 : 1);
  });
  addConnections(metrics, store);
}

const MOVES: readonly [name: string, help: string, states: readonly string[]][] = [
  ['moves_begun_total', 'Moves that were begun, ever.', RELOCATION_STATES],
  ['moves_done_total', 'Moves that took effect, ever.', ['swapped', 'finished']],
  ['moves_failed_total', 'Moves that were given up and taken back, ever.', ['rolled-back', 'cleaned']],
];

/** The journal keeps every move for ever, whatever process made it: its counts only rise, and every server of the catalog tells the same. */
function addMoves(metrics: CatalogMetrics, sizes: () => Promise<CatalogSizes | null>): void {
  for (const [name, help, states] of MOVES) {
    metrics.counter(name, help, async (counter) => {
      const known = await sizes();
      counter.reset();
      if (known === null) counter.remove();
      else counter.inc(states.reduce((sum, state) => sum + (known.relocations[state] ?? 0), 0));
    });
  }
  metrics.gauge(
    'relocation_oldest_copying_timestamp_seconds',
    'When the oldest move that is copying began; 0 if there is none.',
    [],
    async (gauge) => {
      gauge.reset();
      const known = await sizes();
      if (known === null) gauge.remove();
      else gauge.set((known.oldestCopyingMs ?? 0) / 1000);
    },
  );
}

function addConnections(metrics: CatalogMetrics, store: SizedStore): void {
  metrics.gauge('database_connections', 'Connections of the pool; none with SQLite.', ['state'], (gauge) => {
    const connections = store.connections();
    for (const [state, count] of Object.entries(connections ?? {})) gauge.set({ state }, count);
  });
}

/** The sizes as they were counted last; null if that failed. */
function counted(store: SizedStore, clock: Clock): () => Promise<CatalogSizes | null> {
  let last: Promise<CatalogSizes | null> | null = null;
  let atMs = 0;
  return () => {
    const nowMs = clock.now();
    if (last !== null && nowMs >= atMs && nowMs < atMs + COUNTED_MS) return last;
    atMs = nowMs;
    last = store.sizes(nowMs).catch(() => {
      atMs = 0;
      return null;
    });
    return last;
  };
}
