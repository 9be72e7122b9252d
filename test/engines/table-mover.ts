import type { TableIdentifier } from '../../src/catalog-client/catalog.ts';
import type { Lake } from '../../src/project/open-lake.ts';
import { tableName } from '../../src/table/table.ts';
import { applyPlan } from '../../src/tiering/apply-plan.ts';
import { bringBack } from '../../src/tiering/bring-back.ts';
import type { RelocationResult } from '../../src/tiering/executor.ts';
import { Journal, type JournaledMove } from '../../src/tiering/journal.ts';
import { sweepLedger } from '../../src/tiering/ledger.ts';
import { parsePartitionChoice } from '../../src/tiering/partition-choice.ts';
import { planMoves } from '../../src/tiering/plan-moves.ts';
import { loadPolicies } from '../../src/tiering/policy-files.ts';
import type { RelocationStep } from '../../src/tiering/protocol.ts';
import { planRestore } from '../../src/tiering/restore.ts';
import { tieringRun } from '../../src/tiering/tiering-context.ts';

/** How long a restored partition is kept from the next policy run, ms. */
const PIN_MS = 1;

/** Moves of one table of the stack's lake between its tiers. */
export class TableMover {
  readonly #lake: Lake;
  readonly #table: TableIdentifier;
  readonly #graceMs: number;
  readonly #at: (step: RelocationStep) => Promise<void>;
  /** How often a move of this table became visible. */
  swaps = 0;

  constructor(
    lake: Lake,
    table: TableIdentifier,
    options: { readonly graceMs: number; at?(step: RelocationStep): Promise<void> },
  ) {
    this.#lake = lake;
    this.#table = table;
    this.#graceMs = options.graceMs;
    this.#at = options.at ?? (async () => {});
  }

  get #options() {
    const at = async (step: RelocationStep) => {
      if (step === 'swapped') this.swaps++;
      await this.#at(step);
    };
    return { faults: { at } };
  }

  /** What a policy `transitions: [{ to: warm, after: WARM }, { to: cold, after: COLD }]` moves at a time, by the partitions' age. */
  async byPolicy(
    nowMs: number,
    after: { readonly warm: string; readonly cold: string },
  ): Promise<readonly RelocationResult[]> {
    const name = tableName(this.#table);
    const text = `version: 1
policies:
  - { name: by-age, match: { tables: ["${name}"] }, grace: 1h, age: { from: partition },
      transitions: [ { to: warm, after: ${after.warm} }, { to: cold, after: ${after.cold} } ] }
`;
    const loaded = loadPolicies([{ file: 'p.yaml', text }], ['hot', 'warm', 'cold']);
    if ('problems' in loaded) throw new Error('the policy was refused');
    const plan = await planMoves(this.#lake, loaded.set, nowMs, [name]);
    const tables = plan.tables.map((one) => ({ ...one, grace_ms: this.#graceMs }));
    const options = { ...this.#options, leaveOutGone: true };
    const { relocations, refused } = await applyPlan(this.#lake, { ...plan, tables }, options);
    if (refused.some(({ reason }) => !reason.includes('other commits came first')))
      throw new Error(`a move was refused: ${JSON.stringify(refused)}`);
    return relocations;
  }

  /** Brings partitions (`FROM..TO`) back to the hottest tier. */
  async restore(partitions: string): Promise<RelocationResult | null> {
    const choice = parsePartitionChoice(partitions);
    const table = await this.#lake.catalog.loadTable(this.#table);
    const request = { table, partitions: choice, to: 'hot', graceMs: this.#graceMs };
    const plan = await planRestore(this.#lake, request);
    if (plan.moves.length === 0) return null;
    const options = { ...this.#options, leaveOutGone: true };
    return bringBack(this.#lake, plan, this.#lake.clock.now() + PIN_MS, options);
  }

  /** Deletes old objects whose grace has passed; returns true once none of this table waits. */
  async isSwept(): Promise<boolean> {
    const run = tieringRun(this.#lake);
    await sweepLedger(run, this.#lake.clock.now());
    const { metadata } = await this.#lake.catalog.loadTable(this.#table);
    for await (const entry of run.journal.ledger())
      if (entry['table-uuid'] === metadata['table-uuid']) return false;
    return true;
  }

  /** Every object that moves of this table have retired, by what the journal says. */
  async retired(): Promise<JournaledMove[]> {
    const journal = new Journal(this.#lake.catalog);
    const { metadata } = await this.#lake.catalog.loadTable(this.#table);
    const retired: JournaledMove[] = [];
    for (const { state, 'relocation-id': id } of await journal.relocationsOf(metadata['table-uuid'])) {
      if (state !== 'swapped' && state !== 'finished') continue;
      for await (const move of journal.moves(id)) retired.push(move);
    }
    return retired;
  }
}
