import { TrinoEngine } from '../engine/trino.ts';
import { pinTables, refuseWrites, type TableMention, tableMentions } from '../engine/trino-as-of.ts';
import { dataRead, refuseOtherReads } from '../engine/trino-reads.ts';
import { LakeError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import type { Lake } from '../project/open-lake.ts';
import { scanTarget } from '../table/scan.ts';
import { findTable } from './find-table.ts';
import { scanPoint } from './scan-point.ts';
import type { Session } from './session.ts';

const OPENED_AT_ONCE = 4;

/** A table of a query at the snapshot that it is to be read at. */
interface Pin {
  /** As Trino's plan shows it. */
  readonly read: string;
  readonly snapshotId: bigint;
}

/** The Trino server that lake.yaml names. @throws LakeError `usage` where it names none */
export async function openTrino(session: Session): Promise<TrinoEngine> {
  const { trino, file } = await session.config();
  if (trino !== undefined) return new TrinoEngine(trino, session.clock);
  throw new LakeError('usage', 'lake.yaml names no Trino server', {
    where: file,
    hint: 'Write trino: { server: "http://localhost:8080", catalog: lake }, or leave out --engine trino.',
  });
}

/**
 * The SQL to be sent to Trino for a question, with each of its tables at the snapshot that `asOf` means for it.
 *
 * @throws LakeError `usage` for what is no query; `not-found` for tables and snapshots; `unsupported` where it is not certain that the answer would be that of `asOf`
 */
export async function trinoQuery(
  openLake: () => Promise<Lake>,
  trino: TrinoEngine,
  query: string,
  asOf: string | undefined,
): Promise<string> {
  refuseWrites(query);
  if (asOf === undefined) return query;
  const mentions = tableMentions(query);
  const lake = await openLake();
  const pins = await inParallel(mentions, OPENED_AT_ONCE, (mention) =>
    pin(lake, trino.catalog, mention, asOf),
  );
  const pinned = pinTables(
    query,
    mentions,
    pins.map(({ snapshotId }) => snapshotId),
  );
  await refuseOtherReads(
    trino,
    pinned,
    pins.map(({ read }) => read),
  );
  return pinned;
}

async function pin(lake: Lake, catalog: string, { parts }: TableMention, asOf: string): Promise<Pin> {
  const name = parts.slice(-2).join('.');
  if (parts.length > 3 || (parts.length === 3 && parts[0] !== catalog)) {
    throw new LakeError(
      'unsupported',
      `${parts.join('.')} is no table of this lake, which is ${catalog} in Trino`,
      {
        hint: '--as-of holds for every table of a query: ask for the others in a query of their own. Nothing was asked.',
      },
    );
  }
  const table = await findTable(lake, name);
  const { schema, snapshot } = scanTarget(table.metadata, scanPoint(table, asOf));
  if (snapshot === undefined) {
    throw new LakeError('not-found', `${name} has no snapshot yet.`, { hint: 'Leave out --as-of.' });
  }
  if ((snapshot['schema-id'] ?? schema['schema-id']) !== schema['schema-id']) {
    throw new LakeError(
      'unsupported',
      `The columns of ${name} were changed after the last snapshot of ${asOf}`,
      {
        hint: 'Trino would show the old columns. Leave out --as-of or --engine trino. Nothing was asked.',
      },
    );
  }
  const id = snapshot['snapshot-id'];
  return { read: dataRead(catalog, name, id), snapshotId: id };
}
