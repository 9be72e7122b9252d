import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isDatabaseUrl } from '../../../config.ts';
import { LakeError } from '../../../errors.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import type { Session } from '../../session.ts';
import { countText } from '../../units.ts';
import { ownCatalog } from './own-catalog.ts';
import { placeOf } from './restore.ts';

interface MigrateFlags {
  readonly to?: string;
  readonly dryRun?: true;
}

/** `lake catalog migrate` */
export const addCatalogMigrate: CommandFactory = (parent, run) => {
  const command = parent
    .command('migrate')
    .description("bring the catalog's database to this version's schema, or the catalog to another database")
    .option('--to <place>', 'an empty database to move to: a path, or postgres://…')
    .option('--dry-run', 'say what would be done')
    .action((flags: MigrateFlags) => run((session) => migrateCatalog(session, flags)));
  withExamples(command, [
    ['lake catalog migrate --dry-run', 'which versions the schema would go through'],
    [
      'lake catalog migrate --to "postgres://lake@db/lake"',
      'the old one stays, in maintenance; then write the new one under catalog.embedded',
    ],
  ]);
};

async function migrateCatalog(session: Session, { to, dryRun }: MigrateFlags): Promise<void> {
  const { database } = await ownCatalog(session, 'migrate');
  if (to === undefined) await migrateSchema(session, database, dryRun === true);
  else await migrateTo(session, database, placeOf(session, to), dryRun === true);
}

async function migrateSchema(session: Session, database: string, isDryRun: boolean): Promise<void> {
  const { schemaSteps, copyBeside } = await import('../../../../catalog/operations/schema-steps.ts');
  const { openSqlDatabase } = await import('../../../../catalog/store/open-store.ts');
  const { from, to } = await schemaSteps(database);
  if (from === to) {
    session.output.result(
      { from, to, migrated: false },
      `The schema has version ${to}: nothing is to be done.`,
    );
    return;
  }
  if (isDryRun) {
    session.output.result(
      { from, to, migrated: false },
      `The schema would go from version ${from} to ${to}.`,
    );
    return;
  }
  const copy = !isDatabaseUrl(database) && from > 0 ? await copyBeside(database, from) : null;
  await (await openSqlDatabase(database, session.clock)).close();
  const kept = copy === null ? '' : ` A copy of the database as it was is at ${copy}.`;
  session.output.result(
    { from, to, migrated: true, ...(copy === null ? {} : { copy }) },
    `The schema went from version ${from} to ${to}.${kept}`,
  );
}

async function migrateTo(session: Session, database: string, to: string, isDryRun: boolean): Promise<void> {
  if (to === database) throw new LakeError('usage', 'The catalog is there already.', { where: to });
  const { openSqlDatabase } = await import('../../../../catalog/store/open-store.ts');
  const { moveCatalog } = await import('../../../../catalog/operations/move-catalog.ts');
  const from = await openSqlDatabase(database, session.clock);
  try {
    const tables = Number((await from.get('SELECT COUNT(*) AS n FROM tables'))?.['n']);
    if (isDryRun) {
      const text = `The catalog would be moved (tables: ${countText(tables)}); ${from.where} would stay, in maintenance.`;
      session.output.result({ tables, moved: false }, text);
      return;
    }
    if (!isDatabaseUrl(to)) await mkdir(dirname(to), { recursive: true });
    const target = await openSqlDatabase(to, session.clock);
    try {
      const path = join(tmpdir(), `lake-catalog-${session.clock.uuid()}.backup`);
      const { rows } = await moveCatalog(from, target, { path, clock: session.clock });
      session.output.result(
        { tables, moved: true, rows, to: target.where },
        [
          `Moved the catalog to ${target.where} (tables: ${countText(tables)}).`,
          `${from.where} stays as it was and is in maintenance: it takes no changes.`,
          'Write the new place under catalog.embedded of lake.yaml, and start the servers anew.',
        ].join('\n'),
      );
    } finally {
      await target.close();
    }
  } finally {
    await from.close();
  }
}
