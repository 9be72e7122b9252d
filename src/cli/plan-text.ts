import type { PlannedMove, TierPlan } from '../policy/evaluate.ts';
import { textTable } from './output.ts';
import { bytesText, countText } from './units.ts';

interface Group {
  readonly table: string;
  readonly from: string;
  readonly to: string;
  readonly why: string;
  partitions: number;
  files: number;
  bytes: number;
  first: string;
  last: string;
}

/** A reason without its date, so that the partitions of one rule stand in one line. */
function ruleOf(reason: string): string {
  return reason.replace(/, (since|on) [\d-]+$/, '');
}

function groupMoves(moves: readonly PlannedMove[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { table, from, to, reason, partition, files, bytes } of moves) {
    const why = ruleOf(reason);
    const key = JSON.stringify([table, from, to, why]);
    const group = groups.get(key) ?? {
      table,
      from,
      to,
      why,
      partitions: 0,
      files: 0,
      bytes: 0,
      first: partition,
      last: partition,
    };
    group.partitions += 1;
    group.files += files;
    group.bytes += bytes;
    if (partition < group.first) group.first = partition;
    if (partition > group.last) group.last = partition;
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** One line for each reason why something stays, with how many partitions it holds for. */
function keptLines(plan: TierPlan): string[] {
  const counts = new Map<string, number>();
  for (const { table, tier, reason } of plan.kept) {
    const key = `${table} in ${tier}: ${ruleOf(reason)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([text, count]) => `  ${text}${count > 1 ? ` (${count} partitions)` : ''}`);
}

/** A plan for people: moves summed by table and tier, then what stays and why. */
export function planText(plan: TierPlan): string {
  const kept = keptLines(plan);
  const stays = kept.length === 0 ? [] : ['', 'Stays where it is', ...kept];
  if (plan.moves.length === 0) return ['Nothing to move.', ...stays].join('\n');
  const groups = groupMoves(plan.moves).map((group) => ({
    ...group,
    range: group.first === group.last ? group.first || 'whole table' : `${group.first} … ${group.last}`,
    way: `${group.from} -> ${group.to}`,
  }));
  const table = textTable(groups, [
    { key: 'table' },
    { key: 'way', heading: 'from -> to' },
    { key: 'partitions', align: 'right' },
    { key: 'files', align: 'right', format: countText },
    { key: 'bytes', align: 'right', format: bytesText },
    { key: 'range' },
    { key: 'why' },
  ]);
  const bytes = plan.moves.reduce((sum, move) => sum + move.bytes, 0);
  const files = plan.moves.reduce((sum, move) => sum + move.files, 0);
  return [table, '', `To move: ${countText(files)} files, ${bytesText(bytes)}.`, ...stays].join('\n');
}
