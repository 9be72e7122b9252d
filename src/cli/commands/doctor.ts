import { listEveryTable } from '../../catalog-client/listed-table.ts';
import { type LakeConfig, shownDatabase, type Tier } from '../../config.ts';
import { LakeError } from '../../errors.ts';
import { checkConditionalWrites } from '../../storage/conditional-writes.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { normalLocation } from '../../tiering/normal-location.ts';
import { readPolicies } from '../../tiering/policy-files.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { openEngine } from '../query-engine.ts';
import { asLakeError } from '../report-error.ts';
import type { Session } from '../session.ts';

interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
}

/** The clocks of the machine and of its storage may differ by this much, ms; ages and leases count in hours. */
const CLOCK_TOLERANCE_MS = 60_000;

/** `lake doctor`: does everything the project stands on work? */
export const addDoctor: CommandFactory = (parent, run) => {
  const command = parent
    .command('doctor')
    .description('check storage, catalog, SQL engine, Trino, policies, clock and versions')
    .action(() => run(doctor));
  withExamples(command, [['lake doctor', 'exit code 0 if all is well, 1 if a check failed']]);
};

async function doctor(session: Session): Promise<number> {
  const config = await session.config();
  const findings: Finding[] = [
    { check: 'lake.yaml', status: 'ok', detail: config.file },
    await probe('node', async () => process.version),
    await probe('sql engine', () => checkEngine(session)),
    await probe('catalog', () => checkCatalog(session)),
    await probe('policies', () => checkPolicies(config)),
    ...(config.trino === undefined ? [] : [await probe('trino', () => trinoFinding(session))]),
  ];
  const { openLakeStore } = await import('../../project/lake-store.ts');
  const objects = await openLakeStore(config, session.clock);
  for (const tier of config.tiers) {
    findings.push(await probe(`storage: ${tier.name}`, () => checkTier(session, objects, tier)));
  }
  findings.push(...(await strayTables(session)));
  await session.output.rows(findings);
  return findings.some((finding) => finding.status === 'fail') ? EXIT.failed : EXIT.done;
}

async function trinoFinding(session: Session): Promise<string> {
  const { checkTrino } = await import('../check-trino.ts');
  return checkTrino(session);
}

async function probe(check: string, body: () => Promise<string>): Promise<Finding> {
  try {
    return { check, status: 'ok', detail: await body() };
  } catch (thrown) {
    const error = asLakeError(thrown);
    const parts = [error.message, error.hint].filter((part) => part !== undefined);
    return { check, status: 'fail', detail: parts.join(' ').replaceAll('\n', '; ') };
  }
}

async function checkEngine(session: Session): Promise<string> {
  const engine = await openEngine(await session.lake());
  try {
    const [row] = await engine.all(
      "SELECT version() AS version, (SELECT count(*) FROM duckdb_extensions() WHERE extension_name = 'httpfs' AND loaded) AS httpfs",
    );
    const staged = 'httpfs is not installed for it: files from S3 are staged in .lake/cache';
    const reads = Number(row?.['httpfs']) > 0 ? 'reads S3 by httpfs' : staged;
    const { config } = await session.lake();
    const isLocal = config.tiers.every((tier) => !tier.location.startsWith('s3:'));
    return `DuckDB ${row?.['version']}${isLocal ? '' : `; ${reads}`}`;
  } finally {
    await engine.close();
  }
}

async function checkCatalog(session: Session): Promise<string> {
  const { catalog, config } = await session.lake();
  const namespaces = await catalog.listNamespaces();
  const counts = await Promise.all(namespaces.map(async (name) => (await catalog.listTables(name)).length));
  const tables = counts.reduce((sum, count) => sum + count, 0);
  const place =
    config.catalog.kind === 'embedded' ? shownDatabase(config.catalog.database) : config.catalog.uri;
  return `${place}: ${tables} tables in ${namespaces.length} namespaces`;
}

/** Tables whose files lie outside the tiers: their project folder was copied or moved, or lake.yaml names other places now. */
async function strayTables(session: Session): Promise<Finding[]> {
  try {
    const { catalog, config } = await session.lake();
    const places = config.tiers.map((tier) => `${normalLocation(tier.location).replace(/\/+$/, '')}/`);
    const tables = await listEveryTable(catalog);
    const stray = tables.filter(
      (table) => !places.some((place) => normalLocation(table['metadata-location']).startsWith(place)),
    );
    const [first] = stray;
    if (first === undefined) return [];
    const name = [...first.namespace, first.name].join('.');
    const detail =
      `${stray.length} of ${tables.length} tables lie outside this project's tiers, such as ${name} at ${first['metadata-location']}. ` +
      'If the folder was moved: move it back. If it was copied: change nothing here, the files are those of the other project; ' +
      'delete .lake here and run `lake run` to build tables of its own. If lake.yaml was changed: bring the old places back.';
    return [{ check: 'places of tables', status: 'warn', detail }];
  } catch (error) {
    // A catalog that is not ours keeps its tables where it likes; one that does not answer is reported above.
    if (error instanceof LakeError) return [];
    throw error;
  }
}

async function checkPolicies(config: LakeConfig): Promise<string> {
  const { policies } = await readPolicies(config);
  return policies.length === 0 ? 'none: everything stays in the hottest tier' : `${policies.length} valid`;
}

/** Writes, reads, copies and lists a small object, and tries the conditional put that commits rest on. */
async function checkTier(session: Session, objects: ObjectStore, tier: Tier): Promise<string> {
  const name = `${tier.location}/.doctor-${session.clock.uuid()}`;
  const copy = `${name}-copy`;
  const bytes = new TextEncoder().encode('lake doctor');
  try {
    await objects.put(name, bytes, { if: 'absent' });
    await checkConditionalWrites(objects, tier.location, session.clock);
    const { storageClass } = tier;
    await objects.copy(name, copy, storageClass === undefined ? {} : { storageClass });
    if ((await objects.checksum(copy)) !== (await objects.checksum(name)))
      throw new Error('a copy differs from its source');
    const { lastModifiedMs } = await objects.head(name);
    const skew = Math.abs(lastModifiedMs - session.clock.now());
    if (skew > CLOCK_TOLERANCE_MS)
      throw new Error(`its clock is ${Math.round(skew / 1000)} s off from this machine's`);
    const classes = storageClass === undefined ? '' : ` into the class ${storageClass}`;
    return `${tier.location}: write, conditional write, copy${classes}, read and delete work`;
  } finally {
    // If they cannot be deleted, the first failure is the one to report.
    await objects.delete([name, copy]).catch(() => undefined);
  }
}
