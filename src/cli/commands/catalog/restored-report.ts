import type { RestoredTableProblem } from '../../../../catalog/operations/restored-tables.ts';
import type { Session } from '../../session.ts';
import type { OwnCatalog } from './own-catalog.ts';

/** Tables of a restored catalog whose files say that they have gone on since. */
export async function problemsOf(
  session: Session,
  { config }: OwnCatalog,
  place: string,
): Promise<readonly RestoredTableProblem[]> {
  const { openCatalogStore } = await import('../../../../catalog/store/open-store.ts');
  const { checkRestored } = await import('../../../../catalog/operations/restored-tables.ts');
  const { MetadataFiles, TABLE_CODEC, VIEW_CODEC } = await import(
    '../../../../catalog/service/metadata-files.ts'
  );
  const { openLakeStore } = await import('../../../project/lake-store.ts');
  const objects = await openLakeStore(config, session.clock);
  const store = await openCatalogStore(place, session.clock);
  try {
    const files = new MetadataFiles(objects, session.clock, TABLE_CODEC);
    const viewFiles = new MetadataFiles(objects, session.clock, VIEW_CODEC);
    const problems: RestoredTableProblem[] = [];
    for await (const problem of checkRestored({ store, objects, files, viewFiles })) problems.push(problem);
    return problems;
  } finally {
    await store.close();
  }
}

/** What is off, table by table, and what to do. */
export function problemsText(problems: readonly RestoredTableProblem[]): string {
  if (problems.length === 0) return 'Every table has its files, and none has newer ones.';
  const lines = problems.flatMap(({ namespace, name, kind, problem, message, newest, metadataLocation }) => [
    `  ${[...namespace, name].join('.')}${kind === 'table' ? '' : ` (${kind})`}: ${problem}: ${message}`,
    `    restored: ${metadataLocation}`,
    ...(newest === undefined ? [] : [`    newest:   ${newest}`]),
  ]);
  return [
    'To be looked at before anything writes or cleans up (no compaction, expire, orphans or moves until then):',
    ...lines,
    'To go on from the newest metadata of a table, register it in place of the restored one:',
    `  curl -X POST -H 'content-type: application/json' http://HOST:PORT/v1/namespaces/NAMESPACE/register \\`,
    `    -d '{"name": "TABLE", "metadata-location": "NEWEST", "overwrite": true}'`,
  ].join('\n');
}
