import type { DuckDbEngine } from '../engine/duckdb.ts';
import { quoteName, quoteText } from '../engine/sql-text.ts';
import { LakeError } from '../errors.ts';
import { nearestName } from '../iceberg/nearest-name.ts';
import type { Model } from './model.ts';

/** The columns that a type 2 dimension has besides those of its SQL, and what its history is made of. */
export interface Scd2 {
  readonly key: readonly string[];
  /** When a change takes effect: a column of the SQL. */
  readonly effectiveAt: string;
  /** True where a row says that the key is gone from then on; null: nothing is ever deleted. */
  readonly deleted: string | null;
  /** Of several changes of one key at one time the last by these columns counts; without them they are an error. */
  readonly orderBy: readonly string[];
  /** Null: all that are neither key nor named above. */
  readonly tracked: readonly string[] | null;
  readonly surrogateKey: string;
  readonly effectiveFrom: string;
  readonly effectiveTo: string;
  readonly isCurrent: string;
}

const BATCH_TIME = '_ingested_at';
const TIMES = ['DATE', 'TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP WITH TIME ZONE'];

/** What a model's YAML says of its history; null for models of another materialisation. */
export function scd2Of(model: Model): Scd2 | null {
  const { key, scd2 = {} } = model.file;
  if (model.materialisation !== 'scd2' || key === undefined) return null;
  return {
    key,
    effectiveAt: scd2.effective_at ?? BATCH_TIME,
    deleted: scd2.deleted ?? null,
    orderBy: scd2.order_by ?? [],
    tracked: scd2.tracked ?? null,
    surrogateKey: scd2.surrogate_key ?? `${model.name.replace(/^dim_/, '')}_key`,
    effectiveFrom: scd2.effective_from ?? 'effective_from',
    effectiveTo: scd2.effective_to ?? 'effective_to',
    isCurrent: scd2.is_current ?? 'is_current',
  };
}

/**
 * The SQL of a dimension with its history, from a query of changes (one row a change, in any order). It depends on the set of changes
 * alone: late ones take their place in the history, the same change told twice counts once, and one that changes no
 * tracked column opens no version. Intervals are half-open; the last one is open and current, unless its key was
 * deleted. The surrogate key is md5 of the natural key and the version's start.
 *
 * @throws LakeError `invalid-file` for a column that the SQL does not give, or gives with another meaning
 */
export async function scd2Sql(engine: DuckDbEngine, model: Model, scd2: Scd2): Promise<string> {
  const columns = await engine.describe(model.sql);
  const values = checkColumns(model, scd2, columns);
  const tracked = scd2.tracked ?? values;
  const q = quoteName;
  const key = scd2.key.map(q).join(', ');
  const removed = scd2.deleted === null ? 'false' : `coalesce(CAST(${q(scd2.deleted)} AS BOOLEAN), false)`;
  const rest = [...scd2.orderBy, ...values].map((name) => `${q(name)} DESC NULLS LAST`);
  const last = ['__gone DESC', ...rest].join(', ');
  const same = tracked.map((name) => `${q(name)} IS NOT DISTINCT FROM lag(${q(name)}) OVER w`);
  const changed = same.length === 0 ? 'false' : `NOT (${same.join(' AND ')})`;
  const from = q(scd2.effectiveFrom);
  const to = q(scd2.effectiveTo);
  return [
    `WITH __changes AS (SELECT *, ${q(scd2.effectiveAt)} AS __at, ${removed} AS __gone FROM (${model.sql}) AS q),`,
    `__points AS (SELECT * FROM __changes QUALIFY row_number() OVER (PARTITION BY ${key}, __at ORDER BY ${scd2.orderBy.length === 0 ? last : [...rest, '__gone DESC'].join(', ')}) = 1),`,
    `__marked AS (SELECT *, row_number() OVER w = 1 OR __gone <> lag(__gone) OVER w OR (NOT __gone AND ${changed}) AS __starts`,
    `FROM __points WINDOW w AS (PARTITION BY ${key} ORDER BY __at NULLS FIRST)),`,
    `__numbered AS (SELECT *, sum(CAST(__starts AS INTEGER)) OVER (PARTITION BY ${key} ORDER BY __at NULLS FIRST ROWS UNBOUNDED PRECEDING) AS __version FROM __marked),`,
    `__versions AS (SELECT *, min(__at) OVER (PARTITION BY ${key}, __version) AS __from FROM __numbered`,
    `QUALIFY row_number() OVER (PARTITION BY ${key}, __version ORDER BY __at DESC NULLS LAST) = 1),`,
    `__closed AS (SELECT *, lead(__from) OVER (PARTITION BY ${key} ORDER BY __from NULLS FIRST) AS __to FROM __versions)`,
    `SELECT ${surrogateKey(scd2.key, '__from')} AS ${q(scd2.surrogateKey)}, ${[key, ...values.map(q)].join(', ')},`,
    `__from AS ${from}, __to AS ${to}, __to IS NULL AS ${q(scd2.isCurrent)} FROM __closed WHERE NOT __gone`,
  ].join('\n');
}

/** md5 over the key's values, each preceded by its length so that no two keys read the same, and the time in UTC. */
function surrogateKey(key: readonly string[], from: string): string {
  const parts = key.map((name) => {
    const text = `CAST(${quoteName(name)} AS VARCHAR)`;
    return `coalesce(length(${text}) || ':' || ${text}, '-')`;
  });
  const time = `coalesce(strftime(CAST(${from} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f'), '-')`;
  return `md5(${[...parts, time].join(` || ${quoteText('|')} || `)})`;
}

/** A query of the keys that change in two ways at one time, where nothing says which counts; null if something does. */
export function ambiguousChanges(model: Model, scd2: Scd2, values: readonly string[]): string | null {
  if (scd2.orderBy.length > 0) return null;
  const by = [...scd2.key, scd2.effectiveAt].map(quoteName).join(', ');
  const told = [...values, ...(scd2.deleted === null ? [] : [scd2.deleted])].map(quoteName);
  const row = told.length === 0 ? '1' : `ROW(${told.join(', ')})`;
  return `SELECT ${by}, count(DISTINCT ${row}) AS "changes" FROM (${model.sql}) AS q GROUP BY ${by} HAVING count(DISTINCT ${row}) > 1`;
}

/**
 * Checks the names and types of a history's columns.
 *
 * @returns the columns that are neither key nor part of the history's mechanics
 */
export function checkColumns(
  model: Model,
  scd2: Scd2,
  columns: readonly { readonly name: string; readonly type: string }[],
): string[] {
  const names = columns.map(({ name }) => name);
  const where = model.sqlFile.replace(/\.sql$/, '.yml');
  const refuse = (message: string, hint: string): never => {
    throw new LakeError('invalid-file', `${model.id}: ${message}`, { where, hint });
  };
  const named = [...scd2.key, scd2.effectiveAt, ...scd2.orderBy, ...(scd2.tracked ?? [])];
  for (const name of scd2.deleted === null ? named : [...named, scd2.deleted]) {
    if (names.includes(name)) continue;
    const near = nearestName(name, names);
    const hint = near === null ? `its columns are ${names.join(', ')}` : `did you mean "${near}"?`;
    refuse(`its SQL does not give "${name}"`, name === BATCH_TIME ? `name scd2.effective_at; ${hint}` : hint);
  }
  const time = columns.find(({ name }) => name === scd2.effectiveAt);
  if (time !== undefined && !TIMES.includes(time.type)) {
    refuse(`"${time.name}" is ${time.type}, no time`, `cast it: CAST(${time.name} AS TIMESTAMP)`);
  }
  const mechanics = new Set([...scd2.key, scd2.effectiveAt, ...scd2.orderBy.filter(isHidden(scd2))]);
  if (scd2.deleted !== null) mechanics.add(scd2.deleted);
  const values = names.filter((name) => !mechanics.has(name));
  const made = [scd2.surrogateKey, scd2.effectiveFrom, scd2.effectiveTo, scd2.isCurrent];
  const taken = [...scd2.key, ...values].find((name) => made.includes(name));
  if (taken !== undefined)
    refuse(`its SQL gives "${taken}", which the history makes itself`, 'rename one of the two');
  if (new Set(made).size < made.length)
    refuse('two columns of the history have one name', 'rename one of them');
  return values;
}

/** What only orders changes is no attribute, unless it is tracked. */
const isHidden =
  (scd2: Scd2) =>
  (name: string): boolean =>
    scd2.tracked?.includes(name) !== true;
