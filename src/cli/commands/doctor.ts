import type { LakeConfig, Tier } from '../../config.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { openStore } from '../../storage/store.ts';
import { readPolicies } from '../../tiering/policy-files.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { openEngine } from '../query-engine.ts';
import { asLakeError } from '../report-error.ts';
import type { Session } from '../session.ts';

interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'fail';
  readonly detail: string;
}

/** The clocks of the machine and of its storage may differ by this much, ms; ages and leases count in hours. */
const CLOCK_TOLERANCE_MS = 60_000;

/** `lake doctor`: does everything the project stands on work? */
export const addDoctor: CommandFactory = (parent, run) => {
  const command = parent
    .command('doctor')
    .description('check storage, catalog, SQL engine, policies, clock and versions')
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
  ];
  for (const tier of config.tiers) {
    findings.push(await probe(`storage: ${tier.name}`, () => checkTier(session, openStore(), tier)));
  }
  await session.output.rows(findings);
  return findings.some((finding) => finding.status === 'fail') ? EXIT.failed : EXIT.done;
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
    const [row] = await engine.all('SELECT version() AS version');
    return `DuckDB ${Object.values(row ?? {}).join(' ')}`;
  } finally {
    await engine.close();
  }
}

async function checkCatalog(session: Session): Promise<string> {
  const { catalog, config } = await session.lake();
  const namespaces = await catalog.listNamespaces();
  const counts = await Promise.all(namespaces.map(async (name) => (await catalog.listTables(name)).length));
  const tables = counts.reduce((sum, count) => sum + count, 0);
  const place = config.catalog.kind === 'embedded' ? config.catalog.database : config.catalog.uri;
  return `${place}: ${tables} tables in ${namespaces.length} namespaces`;
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
    const head = await objects.put(name, bytes, { if: 'absent' });
    const second = await objects.put(name, bytes, { if: 'absent' }).then(
      () => true,
      () => false,
    );
    if (second) return Promise.reject(new Error('a conditional put replaced an object that was there'));
    await objects.copy(name, copy);
    if ((await objects.checksum(copy)) !== (await objects.checksum(name)))
      throw new Error('a copy differs from its source');
    const skew = Math.abs(head.lastModifiedMs - session.clock.now());
    if (skew > CLOCK_TOLERANCE_MS)
      throw new Error(`its clock is ${Math.round(skew / 1000)} s off from this machine's`);
    return `${tier.location}: write, conditional write, copy, read and delete work`;
  } finally {
    await objects.delete([name, copy]);
  }
}
