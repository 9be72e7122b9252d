import { join } from 'node:path';
import { type DuckDbEngine, openDuckDb } from '../engine/duckdb.ts';
import { isKind, LakeError } from '../errors.ts';
import type { Lake } from '../project/open-lake.ts';
import { buildModel } from './build.ts';
import type { CheckResult } from './checks.ts';
import { buildGraph, type ModelGraph } from './graph.ts';
import { landSource } from './land.ts';
import { loadModels } from './load-models.ts';
import type { Model } from './model.ts';
import { findModelTable } from './model-table.ts';
import { dropAbandonedBranches, dropBranches, publish } from './publish.ts';
import { checkModel, throwFailedChecks } from './run-checks.ts';
import { type RunContext, type RunProgress, viewInput } from './run-context.ts';
import { selectModels } from './select.ts';

export interface RunOptions {
  /** dbt's selection syntax (see `selectModels`); all models by default. */
  readonly select?: readonly string[];
  /** Builds every selected silver and gold model anew; partitions that come out the same stay. */
  readonly fullRefresh?: boolean;
  readonly progress?: RunProgress;
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
 * there, and publishes all of them in one commit. A run without new input changes nothing.
 *
 * @throws LakeError `check-failed`: nothing of silver and gold was published (what landed in bronze stays);
 *   `invalid-file` for models; `conflict`, `unknown-outcome` as `publish`; those of the SQL
 */
export async function runPipeline(lake: Lake, options: RunOptions = {}): Promise<RunReport> {
  const started = lake.clock.now();
  return withGraph(lake, async (engine, graph) => {
    const selected = selectModels(graph, options.select);
    const models = graph.order.filter((model) => selected.has(model.id));
    const runId = newRunId(lake);
    const context: RunContext = {
      lake,
      engine,
      graph,
      runId,
      branch: `run_${runId}`,
      staged: new Map(),
      fullRefresh: options.fullRefresh ?? false,
    };
    await dropAbandonedBranches(lake, [...selected]);
    const reports: ModelReport[] = [];
    const checks: CheckResult[] = [];
    const checked = new Set<string>();
    try {
      for (const [i, model] of models.entries()) {
        options.progress?.(model.id, i, models.length);
        reports.push(await runModel(context, model, checks, checked));
      }
      options.progress?.('publish', models.length, models.length);
      await publish(lake, context.branch, [...context.staged.values()]);
    } catch (error) {
      await giveUp(context, error);
      throw error;
    }
    return { runId, models: reports, checks, durationMs: lake.clock.now() - started };
  });
}

/**
 * Runs the checks of the selected models on what is published.
 *
 * @returns every result, failed ones too; models without a table are left out
 */
export async function runChecks(
  lake: Lake,
  options: { readonly select?: readonly string[]; readonly progress?: RunProgress } = {},
): Promise<CheckResult[]> {
  return withGraph(lake, async (engine, graph) => {
    const selected = selectModels(graph, options.select);
    const context = { lake, engine, graph, runId: '', branch: '', staged: new Map(), fullRefresh: false };
    const models = graph.order.filter((model) => selected.has(model.id));
    const results: CheckResult[] = [];
    for (const [i, model] of models.entries()) {
      options.progress?.(model.id, i, models.length);
      if ((await findModelTable(lake, model)) === null) continue;
      await viewInput(context, model.id);
      results.push(...(await checkModel(engine, model)));
    }
    return results;
  });
}

async function withGraph<T>(
  lake: Lake,
  use: (engine: DuckDbEngine, graph: ModelGraph) => Promise<T>,
): Promise<T> {
  const { config } = lake;
  const models = await loadModels(config.modelsFolder, config.root);
  if (models.length === 0) {
    throw new LakeError('invalid-file', 'this project has no models', {
      where: config.modelsFolder,
      hint: 'write models/bronze/NAME.sql with NAME.yml beside it',
    });
  }
  const engine = await openDuckDb({ ...config.engine, tempDirectory: join(config.root, '.lake', 'tmp') });
  try {
    return await use(engine, buildGraph(models, await readsOf(engine, models)));
  } finally {
    await engine.close();
  }
}

async function readsOf(engine: DuckDbEngine, models: readonly Model[]): Promise<Map<string, string[]>> {
  const reads = new Map<string, string[]>();
  for (const model of models) {
    try {
      const names = await engine.tableNames(model.sql);
      reads.set(model.id, names.map((name) => name.replaceAll('"', '')).sort());
    } catch (error) {
      throw inModel(model, error);
    }
  }
  return reads;
}

/** Names the model's file where the engine only knew a position in its SQL. */
function inModel(model: Model, error: unknown): unknown {
  if (!isKind(error, 'usage')) return error;
  const where = error.where === undefined ? model.sqlFile : `${model.sqlFile}: ${error.where}`;
  return new LakeError('invalid-file', `${model.id}: ${error.message}`, {
    where,
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

async function runModel(
  context: RunContext,
  model: Model,
  checks: CheckResult[],
  checked: Set<string>,
): Promise<ModelReport> {
  const { clock } = context.lake;
  const started = clock.now();
  const check = async (tested: Model): Promise<void> => {
    if (checked.has(tested.id)) return;
    checks.push(...(await checkInRun(context, tested)));
    checked.add(tested.id);
  };
  // Bronze that failed its checks in an earlier run has landed all the same: it must not get past this one.
  const checkBronze = async (inputs: readonly string[]): Promise<void> => {
    for (const input of context.graph.order) {
      if (input.layer === 'bronze' && inputs.includes(input.id)) await check(input);
    }
  };
  try {
    const report =
      model.layer === 'bronze' ? await land(context, model) : await build(context, model, checkBronze);
    if (report.status !== 'unchanged') await check(model);
    return { model: model.id, ...report, durationMs: clock.now() - started };
  } catch (error) {
    throw inModel(model, error);
  }
}

type PartialReport = Omit<ModelReport, 'model' | 'durationMs'>;

async function land(context: RunContext, model: Model): Promise<PartialReport> {
  const { files, rows, snapshotId } = await landSource(context, model);
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
  checkInputs: (inputs: readonly string[]) => Promise<void>,
): Promise<PartialReport> {
  const { status, rows, files, partitions, snapshotId } = await buildModel(context, model, checkInputs);
  const id = snapshotId === null ? null : String(snapshotId);
  return { status, rows, files, partitions, sources: [], snapshotId: id };
}

async function checkInRun(context: RunContext, model: Model): Promise<CheckResult[]> {
  await viewInput(context, model.id);
  const results = await checkModel(context.engine, model);
  const kept =
    model.layer === 'bronze'
      ? 'the rows stay in bronze; silver and gold are as they were'
      : 'nothing of silver and gold was published';
  throwFailedChecks(results, `${kept}; mend the source or the model and run again`);
  return results;
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

/** `20261121t143045_1a2b3c4d`: sorts by time, fits a branch's name. */
function newRunId(lake: Lake): string {
  const time = new Date(lake.clock.now()).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').toLowerCase();
  return `${time}_${lake.clock.uuid().slice(0, 8)}`;
}
