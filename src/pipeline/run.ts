import type { DuckDbEngine } from '../engine/duckdb.ts';
import { isKind, LakeError } from '../errors.ts';
import type { Lake } from '../project/open-lake.ts';
import type { TimeRange } from './backfill-range.ts';
import { buildModel } from './build.ts';
import { type CheckResult, checksOf } from './checks.ts';
import type { ModelGraph } from './graph.ts';
import { landSource } from './land.ts';
import type { Model } from './model.ts';
import { findModelTable } from './model-table.ts';
import { inModel, withGraph } from './open-graph.ts';
import { dropAbandonedBranches, dropBranches, publish } from './publish.ts';
import { checkChanges } from './result-sql.ts';
import { type CheckScope, checkModel, isFailed, throwFailedChecks } from './run-checks.ts';
import { type RunContext, type RunProgress, viewInput } from './run-context.ts';
import { newRunId } from './run-id.ts';
import { type RunRecord, recordRun } from './run-log.ts';
import { type Selection, selectModels } from './select.ts';
import { dropAbandonedStaging } from './trino-staging.ts';

export interface CheckOptions extends Selection {
  /** What `freshness` takes for now, ms since 1970; the wall clock by default. */
  readonly policyNow?: number;
  readonly progress?: RunProgress;
  /** Told what went wrong beside the point: the result stands. */
  readonly warn?: (message: string) => void;
}

export interface RunOptions extends CheckOptions {
  /** Builds every selected silver and gold model anew; partitions that come out the same stay. */
  readonly fullRefresh?: boolean;
  /** Builds the partitions that it touches, and no others, of the selected models that are partitioned by time. */
  readonly range?: TimeRange;
  /** Names of source files that have landed, or have not, where the table cannot tell any more (see `landSource`). */
  readonly assumeLanded?: readonly string[];
  readonly landAgain?: readonly string[];
}

export interface ModelReport {
  readonly model: string;
  /** `landed` and `built`: rows were written; `unchanged`: there was nothing new. */
  readonly status: 'landed' | 'built' | 'unchanged';
  readonly rows: number;
  readonly files: number;
  /** Partitions that were written or emptied. */
  readonly partitions: number;
  /** Source files that landed. */
  readonly sources: readonly string[];
  readonly snapshotId: string | null;
  readonly durationMs: number;
}

export interface RunReport {
  readonly runId: string;
  readonly models: readonly ModelReport[];
  readonly checks: readonly CheckResult[];
  readonly durationMs: number;
}

/**
 * Lands new source files in bronze, then builds the selected silver and gold models on a branch, checks them
 * there, and publishes all of them in one commit. A run without new input changes nothing. A run that wrote something or
 * failed is recorded in `lake_system`; that the record cannot be written is a warning.
 *
 * @throws LakeError `check-failed`: nothing of silver and gold was published (what landed in bronze stays);
 *   `invalid-file` for models; `conflict`, `unknown-outcome` as `publish`; those of the SQL
 */
export async function runPipeline(lake: Lake, options: RunOptions = {}): Promise<RunReport> {
  return withGraph(lake, async (engine, graph) => {
    const context = newContext(lake, engine, graph, options);
    const selected = selectModels(graph, options);
    const models = graph.order.filter((model) => selected.has(model.id));
    const reports: ModelReport[] = [];
    const started = lake.clock.now();
    const keep = (status: RunRecord['status'], message: string | null) =>
      record(context, options, { ...written(reports), command: 'run', startedMs: started, status, message });
    try {
      await dropAbandonedBranches(lake, [...selected], options.warn);
      if (lake.config.trino !== undefined) await dropAbandonedStaging(lake, options.warn);
      await runModels(context, models, reports, options.progress);
      options.progress?.('publish', models.length, models.length);
      await publish(lake, context.branch, [...context.staged.values()]);
    } catch (error) {
      await giveUp(context, error);
      await keep('failed', error instanceof Error ? error.message : String(error));
      throw error;
    }
    if (reports.some(({ status }) => status !== 'unchanged')) await keep('published', null);
    const durationMs = lake.clock.now() - started;
    return { runId: context.runId, models: reports, checks: context.checks, durationMs };
  });
}

/**
 * Runs the checks of the selected models on what is published.
 *
 * @returns every result, failed ones too; models without a table are left out
 */
export async function runChecks(lake: Lake, options: CheckOptions = {}): Promise<CheckResult[]> {
  return withGraph(lake, async (engine, graph) => {
    const context = newContext(lake, engine, graph, options);
    const selected = selectModels(graph, options);
    const models = graph.order.filter((model) => selected.has(model.id));
    const started = lake.clock.now();
    for (const [i, model] of models.entries()) {
      options.progress?.(model.id, i, models.length);
      if ((await findModelTable(lake, model)) === null) continue;
      for (const scope of ['alone', 'with-others'] as const) await checkInto(context, model, scope);
    }
    const failed = context.checks.filter(isFailed).length;
    await record(context, options, {
      command: 'test',
      startedMs: started,
      status: failed === 0 ? 'tested' : 'failed',
      models: 0,
      rows: 0,
      message: failed === 0 ? null : `${failed} checks failed`,
    });
    return context.checks;
  });
}

function newContext(lake: Lake, engine: DuckDbEngine, graph: ModelGraph, options: RunOptions): RunContext {
  const runId = newRunId(lake.clock);
  return {
    lake,
    engine,
    graph,
    runId,
    branch: `run_${runId}`,
    staged: new Map(),
    pinned: new Map(),
    checks: [],
    fullRefresh: options.fullRefresh ?? false,
    range: options.range ?? null,
    policyNow: options.policyNow ?? lake.clock.now(),
    assumeLanded: new Set(options.assumeLanded),
    landAgain: new Set(options.landAgain),
  };
}

async function runModels(
  context: RunContext,
  models: readonly Model[],
  reports: ModelReport[],
  progress: RunProgress | undefined,
): Promise<void> {
  const checked = new Set<string>();
  for (const [i, model] of models.entries()) {
    progress?.(model.id, i, models.length);
    reports.push(await runModel(context, model, checked));
  }
  const changed = new Set(
    reports.filter(({ status }) => status !== 'unchanged').map((report) => report.model),
  );
  await checkWithOthers(context, checked, changed);
}

/**
 * Comparisons with other tables, which come when all of them are built: those of the models that were checked by themselves, and those
 * of any other model with a table that has changed in this run.
 */
async function checkWithOthers(
  context: RunContext,
  checked: ReadonlySet<string>,
  changed: ReadonlySet<string>,
): Promise<void> {
  for (const model of context.graph.order) {
    if (checked.has(model.id)) {
      await gate(context, model, () => checkInto(context, model, 'with-others'));
    } else if (checksOf(model, context.policyNow).some(({ reads }) => reads && changed.has(reads.table))) {
      // Not a model of this run: it may have no table yet.
      if ((await findModelTable(context.lake, model)) === null) continue;
      await gate(context, model, () => checkInto(context, model, 'with-others', changed));
    }
  }
}

async function runModel(context: RunContext, model: Model, checked: Set<string>): Promise<ModelReport> {
  const { clock } = context.lake;
  const started = clock.now();
  const check = async (tested: Model): Promise<void> => {
    if (checked.has(tested.id)) return;
    checked.add(tested.id);
    await gate(context, tested, () => checkInto(context, tested, 'alone'));
  };
  const beforeBuild = async (inputs: readonly string[]): Promise<void> => {
    // Bronze that failed its checks in an earlier run has landed all the same: it must not get past this one.
    for (const input of context.graph.order) {
      if (input.layer === 'bronze' && inputs.includes(input.id)) await check(input);
    }
    await gate(context, model, async () => {
      const results = await checkChanges(context.engine, model);
      context.checks.push(...results);
      return results;
    });
  };
  try {
    const report =
      model.layer === 'bronze' ? await land(context, model) : await build(context, model, beforeBuild);
    if (report.status !== 'unchanged') await check(model);
    return { model: model.id, ...report, durationMs: clock.now() - started };
  } catch (error) {
    throw inModel(model, error);
  }
}

type PartialReport = Omit<ModelReport, 'model' | 'durationMs'>;

async function land(context: RunContext, model: Model): Promise<PartialReport> {
  const { files, rows, snapshotId } = await landSource(context, model);
  if (files.length > 0) context.pinned.delete(model.id);
  return {
    status: files.length === 0 ? 'unchanged' : 'landed',
    rows,
    files: files.length,
    partitions: 0,
    sources: files,
    snapshotId: snapshotId === null ? null : String(snapshotId),
  };
}

async function build(
  context: RunContext,
  model: Model,
  beforeBuild: (inputs: readonly string[]) => Promise<void>,
): Promise<PartialReport> {
  const { status, rows, files, partitions, snapshotId } = await buildModel(context, model, beforeBuild);
  const id = snapshotId === null ? null : String(snapshotId);
  return { status, rows, files, partitions, sources: [], snapshotId: id };
}

/** Runs checks and keeps their results, whatever they are. */
async function checkInto(
  context: RunContext,
  model: Model,
  scope: CheckScope,
  others?: ReadonlySet<string>,
): Promise<CheckResult[]> {
  const { engine, policyNow: nowMs } = context;
  await viewInput(context, model.id);
  const view = (id: string) => viewOther(context, model, id);
  const results = await checkModel({ engine, nowMs, view }, model, scope, others);
  context.checks.push(...results);
  return results;
}

async function viewOther(context: RunContext, model: Model, id: string): Promise<void> {
  try {
    await viewInput(context, id);
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
    throw new LakeError('not-found', `a check of ${model.id} reads ${id}, which has no table yet`, {
      where: model.sqlFile.replace(/\.sql$/, '.yml'),
      hint: `build it too: lake run --select ${id} ${model.id}`,
      cause: error,
    });
  }
}

/** Lets the run past only if no check failed. */
async function gate(
  context: RunContext,
  model: Model,
  check: () => Promise<readonly CheckResult[]>,
): Promise<void> {
  const kept =
    model.layer === 'bronze'
      ? 'the rows stay in bronze; silver and gold are as they were'
      : 'nothing of silver and gold was published';
  throwFailedChecks(
    await check(),
    `${kept}; mend the source or the model and run again (run ${context.runId} in lake_system.checks)`,
  );
}

/** After an unknown outcome the branches stay: the commit may still be applied, and refers to them. */
async function giveUp(context: RunContext, error: unknown): Promise<void> {
  if (isKind(error, 'unknown-outcome')) return;
  try {
    await dropBranches(context.lake, context.branch, [...context.staged.values()]);
  } catch {
    // The run's own failure is what counts; the next run drops what is left.
  }
}

function written(reports: readonly ModelReport[]): Pick<RunRecord, 'models' | 'rows'> {
  return {
    models: reports.filter(({ status }) => status !== 'unchanged').length,
    rows: reports.reduce((sum, { rows }) => sum + rows, 0),
  };
}

/** The run's own outcome stands, whether it can be recorded or not. */
async function record(
  context: RunContext,
  options: CheckOptions,
  run: Omit<RunRecord, 'runId' | 'endedMs' | 'checks'>,
): Promise<void> {
  const { lake, engine, runId, checks } = context;
  try {
    await recordRun(lake, engine, { ...run, runId, endedMs: lake.clock.now(), checks });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    options.warn?.(`the record of run ${runId} could not be written to lake_system: ${why}`);
  }
}
