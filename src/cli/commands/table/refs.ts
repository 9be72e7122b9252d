import type { Command } from 'commander';
import { LakeError } from '../../../errors.ts';
import { fastForward } from '../../../table/fast-forward.ts';
import { resolveSnapshot } from '../../../table/resolve-snapshot.ts';
import type { Table } from '../../../table/table.ts';
import { createRef, removeRef } from '../../../table/tag.ts';
import type { CommandFactory, Runner } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import type { Session } from '../../session.ts';

type RefType = 'tag' | 'branch';

interface RefRequest {
  readonly type: RefType;
  readonly table: string;
  readonly name: string | undefined;
  readonly snapshot?: string;
  readonly drop?: true;
  readonly fastForward?: string;
}

function refCommand(
  parent: Parameters<CommandFactory>[0],
  run: Runner,
  type: RefType,
  does: string,
): Command {
  return parent
    .command(type)
    .description(does)
    .argument('<table>', 'NAMESPACE.TABLE')
    .argument('[name]', `name of the ${type}; without it they are listed`)
    .option('--snapshot <id>', 'which snapshot, by id, time, branch or tag (default: the current one)')
    .option('--drop', `remove the ${type}; its snapshots go at the next expiry`)
    .action(
      (
        table: string,
        name: string | undefined,
        options: Pick<RefRequest, 'snapshot' | 'drop' | 'fastForward'>,
      ) => run((session) => refs(session, { ...options, type, table, name })),
    );
}

/** `lake table tag TABLE NAME`: a name for a snapshot, which keeps it readable. */
export const addTableTag: CommandFactory = (parent, run) => {
  const command = refCommand(
    parent,
    run,
    'tag',
    'give a snapshot a name that keeps it readable; list or remove tags',
  );
  withExamples(command, [
    ['lake table tag gold.fct_flight 2001-h1', 'then: lake sql --as-of 2001-h1 "SELECT …"'],
    ['lake table tag gold.fct_flight', 'all tags'],
  ]);
};

/** `lake table branch TABLE NAME`: a line of snapshots of its own. */
export const addTableBranch: CommandFactory = (parent, run) => {
  const command = refCommand(
    parent,
    run,
    'branch',
    'start a branch at a snapshot; list, move or remove branches',
  ).option('--fast-forward <ref>', 'move the branch forward to a branch or tag that is built on it');
  withExamples(command, [
    ['lake table branch gold.fct_flight audit', 'writers may now commit to "audit" beside main'],
    ['lake table branch gold.fct_flight main --fast-forward audit', 'main shows what audit holds'],
    ['lake table branch gold.fct_flight', 'all branches'],
  ]);
};

async function refs(session: Session, request: RefRequest): Promise<void> {
  const { drop, fastForward: to, snapshot } = request;
  const asked = [
    drop === true && '--drop',
    to !== undefined && '--fast-forward',
    snapshot !== undefined && '--snapshot',
  ].filter(Boolean);
  if (asked.length > 1 || (request.name === undefined && asked.length > 0)) {
    const problem =
      asked.length > 1 ? `${asked.join(' and ')} do not go together` : `${asked[0]} needs a name`;
    throw new LakeError('usage', problem, { hint: `See \`lake table ${request.type} --help\`.` });
  }
  const table = await findTable(await session.lake(), request.table);
  const { name } = request;
  if (name === undefined) return listRefs(session, table, request.type);
  if (drop) return dropRef(session, table, { ...request, name });
  if (to !== undefined) return moveBranch(session, table, name, to);
  return makeRef(session, table, { ...request, name });
}

async function listRefs(session: Session, table: Table, type: RefType): Promise<void> {
  const rows = Object.entries(table.metadata.refs)
    .filter(([, ref]) => ref.type === type)
    .map(([name, ref]) => ({
      name,
      snapshot: ref['snapshot-id'].toString(),
      max_ref_age_ms: ref['max-ref-age-ms'] ?? null,
    }));
  await session.output.rows(rows, { empty: `${table.name} has no ${type === 'tag' ? 'tags' : 'branches'}.` });
}

async function dropRef(
  session: Session,
  table: Table,
  request: RefRequest & { readonly name: string },
): Promise<void> {
  const { type, name } = request;
  const ref = Object.hasOwn(table.metadata.refs, name) ? table.metadata.refs[name] : undefined;
  if (ref?.type !== type) {
    throw new LakeError('not-found', `${table.name} has no ${type} "${name}"`, {
      hint: `\`lake table ${type} ${table.name}\` lists them.`,
    });
  }
  await removeRef(await session.lake(), table.identifier, name);
  const snapshot = ref['snapshot-id'].toString();
  session.output.result(
    { table: table.name, [type]: name, dropped: true, snapshot },
    `Removed the ${type} "${name}" of ${table.name}, which was at snapshot ${snapshot}.`,
  );
}

async function moveBranch(session: Session, table: Table, branch: string, to: string): Promise<void> {
  const done = await fastForward(await session.lake(), table.identifier, { branch, to });
  const snapshot = done.table.metadata.refs[branch]?.['snapshot-id'].toString() ?? '';
  session.output.result(
    { table: table.name, branch, to, snapshot, changed: done.staged !== null },
    `Branch "${branch}" of ${table.name} is at snapshot ${snapshot}${done.staged === null ? ' already' : `, as "${to}" is`}.`,
  );
}

async function makeRef(
  session: Session,
  table: Table,
  request: RefRequest & { readonly name: string },
): Promise<void> {
  const { type, name, snapshot: point } = request;
  const asked = point === undefined ? undefined : resolveSnapshot(table.metadata, point).snapshot;
  const made = await createRef(await session.lake(), table.identifier, {
    name,
    type,
    ...(asked === undefined ? {} : { snapshotId: asked['snapshot-id'] }),
  });
  const snapshot = made.table.metadata.refs[name]?.['snapshot-id'].toString() ?? '';
  session.output.result(
    { table: table.name, [type]: name, snapshot },
    `${type === 'tag' ? 'Tag' : 'Branch'} "${name}" of ${table.name} is at snapshot ${snapshot}.`,
  );
}
