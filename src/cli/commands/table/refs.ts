import { resolveSnapshot } from '../../../table/resolve-snapshot.ts';
import { createRef } from '../../../table/tag.ts';
import type { CommandFactory, Runner } from '../../command.ts';
import { withExamples } from '../../command.ts';
import { findTable } from '../../find-table.ts';
import type { Session } from '../../session.ts';

interface RefRequest {
  readonly type: 'tag' | 'branch';
  readonly table: string;
  readonly name: string;
  readonly snapshot: string | undefined;
}

function refCommand(
  parent: Parameters<CommandFactory>[0],
  run: Runner,
  type: 'tag' | 'branch',
  description: string,
) {
  return parent
    .command(type)
    .description(description)
    .argument('<table>', 'NAMESPACE.TABLE')
    .argument('<name>', `name of the ${type}`)
    .option('--snapshot <id>', 'which snapshot (default: the current one)')
    .action((table: string, name: string, options: { snapshot?: string }) =>
      run((session) => makeRef(session, { type, table, name, snapshot: options.snapshot })),
    );
}

/** `lake table tag TABLE NAME`: a name for a snapshot, which keeps it readable. */
export const addTableTag: CommandFactory = (parent, run) => {
  const command = refCommand(parent, run, 'tag', 'give a snapshot a name that keeps it readable');
  withExamples(command, [
    ['lake table tag gold.fct_flight 2001-h1', 'then: lake sql --as-of 2001-h1 "SELECT …"'],
  ]);
};

/** `lake table branch TABLE NAME`: a line of snapshots of its own. */
export const addTableBranch: CommandFactory = (parent, run) => {
  const command = refCommand(parent, run, 'branch', 'start a branch at a snapshot');
  withExamples(command, [
    ['lake table branch gold.fct_flight audit', 'writers may now commit to "audit" beside main'],
  ]);
};

async function makeRef(session: Session, request: RefRequest): Promise<void> {
  const lake = await session.lake();
  const table = await findTable(lake, request.table);
  const asked =
    request.snapshot === undefined ? undefined : resolveSnapshot(table.metadata, request.snapshot).snapshot;
  const made = await createRef(lake, table.identifier, {
    name: request.name,
    type: request.type,
    ...(asked === undefined ? {} : { snapshotId: asked['snapshot-id'] }),
  });
  const snapshot = made.table.metadata.refs[request.name]?.['snapshot-id'].toString() ?? '';
  session.output.result(
    { table: request.table, [request.type]: request.name, snapshot },
    `${request.type === 'tag' ? 'Tag' : 'Branch'} "${request.name}" of ${request.table} is at snapshot ${snapshot}.`,
  );
}
