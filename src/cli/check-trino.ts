import { listEveryTable } from '../catalog-client/listed-table.ts';
import { quoteName, quoteText, viewName } from '../engine/sql-text.ts';
import type { TrinoEngine } from '../engine/trino.ts';
import { LakeError } from '../errors.ts';
import type { Session } from './session.ts';
import { openTrino } from './trino-query.ts';

/** Of a lake with many tables so many are looked for: Trino knows no table whose name has capitals. */
const TRIED = 5;

/**
 * Trino answers, and its catalog is this lake: it sees a table here, the same one. Returns what to say of it.
 *
 * @throws LakeError `unavailable`, `forbidden`, `not-found` where it is not so, with what to do
 */
export async function checkTrino(session: Session): Promise<string> {
  const trino = await openTrino(session);
  const [[version] = []] = await trino.rows(
    'SELECT node_version FROM system.runtime.nodes WHERE coordinator',
  );
  await checkCatalogName(trino);
  const seen = await seenTable(session, trino);
  return `Trino ${version}; its catalog "${trino.catalog}" ${seen === null ? 'answers; this lake has no table yet to look for' : `sees ${seen}`}`;
}

async function checkCatalogName(trino: TrinoEngine): Promise<void> {
  const catalogs = (await trino.rows('SHOW CATALOGS')).map(([name]) => String(name));
  if (catalogs.includes(trino.catalog)) return;
  throw new LakeError(
    'not-found',
    `Trino has no catalog "${trino.catalog}"; it has ${catalogs.join(', ')}.`,
    {
      hint: 'Mend trino.catalog in lake.yaml, or add etc/catalog/lake.properties to Trino (an example is in trino/etc).',
    },
  );
}

/** The name of a table that Trino sees as this lake has it; null where there is none to look for. */
async function seenTable(session: Session, trino: TrinoEngine): Promise<string | null> {
  const { catalog } = await session.lake();
  const tables = (await listEveryTable(catalog)).filter(({ namespace, name }) =>
    isPlain([...namespace, name]),
  );
  for (const table of tables.slice(0, TRIED)) {
    if (await isSame(trino, table)) return [...table.namespace, table.name].join('.');
  }
  if (tables.length === 0) return null;
  throw new LakeError('not-found', `Trino's catalog "${trino.catalog}" does not see this lake's tables.`, {
    hint: "Point iceberg.rest-catalog.uri of Trino's catalog at `lake catalog serve` of this lake; with auth on, grant Trino's principal the right to read.",
  });
}

const isPlain = (parts: readonly string[]): boolean => parts.every((part) => part === part.toLowerCase());

/** By its metadata file: a table of another lake may have the same name. */
async function isSame(
  trino: TrinoEngine,
  table: Awaited<ReturnType<typeof listEveryTable>>[number],
): Promise<boolean> {
  const metadata = viewName({ namespace: table.namespace, name: `${table.name}$metadata_log_entries` });
  try {
    const files = await trino.rows(
      `SELECT count(*) FROM ${quoteName(trino.catalog)}.${metadata} WHERE file = ${quoteText(table['metadata-location'])}`,
    );
    return Number(files[0]?.[0]) > 0;
  } catch (error) {
    // Changed or dropped meanwhile, or not Trino's to read: the next one tells.
    if (error instanceof LakeError && error.context['trino'] !== undefined) return false;
    throw error;
  }
}
