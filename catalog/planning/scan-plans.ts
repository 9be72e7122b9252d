import type { Clock } from '../../src/clock.ts';
import { isKind, LakeError } from '../../src/errors.ts';
import { currentSchema, type TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { type BoundsForm, dataFileJson, deleteFileJson } from './content-file.ts';
import { type Cut, cutTasks, type TaskParts } from './cut-tasks.ts';
import { decodeTicket, encodeTicket, type PlanTicket } from './plan-token.ts';
import { type ScannedFiles, scanFiles } from './scan-files.ts';
import { type PinnedScan, type Scan, scanOf } from './scan-request.ts';
import type { PlannedObjects } from './table-manifests.ts';
import { WorkSlots } from './work-slots.ts';

/** Tokens outlive what they name for long; readers get half a day's worth of a slow scan. */
const LIFETIME_MS = 24 * 3600 * 1000;
/** Each holds a manifest and an answer in memory. */
const SLOTS = { running: 4, waiting: 200 };
/** Of one answer; what is left is one more task. */
const MAX_TASKS = 500;
const MAX_TOKEN_BYTES = 1024 * 1024;
const MAX_FILTER_BYTES = 256 * 1024;
/** Longer ids do not go into a URL. */
const MAX_PLAN_ID_LENGTH = 4096;
const REMEMBERED_CANCELS = 10_000;

type Json = Readonly<Record<string, unknown>>;

/** REST spec: `ScanTasks`. */
interface ScanTasks {
  readonly 'plan-tasks'?: readonly string[];
  readonly 'file-scan-tasks'?: readonly Json[];
  readonly 'delete-files'?: readonly Json[];
}

/** REST spec: `CompletedPlanningWithIDResult`. */
export type CompletedPlan = ScanTasks & { readonly status: 'completed'; readonly 'plan-id': string };
/** REST spec: `FetchPlanningResult`. */
export type FetchedPlan = CompletedPlan | { readonly status: 'cancelled' };

/**
 * Plans scans on the server. A plan reads the snapshot's manifest list alone and is done when it is answered: what it found is cut into
 * tasks, and a result of one task comes at once. Nothing is kept for a plan (see plan-token.ts) but that it was cancelled, which this
 * server alone remembers.
 */
export class ScanPlans {
  readonly #objects: ObjectStore;
  readonly #clock: Clock;
  readonly #reading: (metadata: TableMetadata) => (location: string) => Promise<void>;
  readonly #slots = new WorkSlots(SLOTS);
  readonly #cancelled = new Set<string>();

  /** @param reading the check before an object that a table names is read for somebody (see `TablePlaces.reading`) */
  constructor(
    objects: ObjectStore,
    clock: Clock,
    reading: (metadata: TableMetadata) => (location: string) => Promise<void>,
  ) {
    this.#objects = objects;
    this.#reading = reading;
    this.#clock = clock;
  }

  /** Errors: `invalid-argument` for the filter, `not-found` and `corrupt` for the table's files, `unavailable` when too much is planned already. */
  async plan(metadata: TableMetadata, pinned: PinnedScan, form: BoundsForm): Promise<CompletedPlan> {
    const ticket: PlanTicket = {
      planId: this.#clock.uuid(),
      tableUuid: metadata['table-uuid'],
      issuedAtMs: this.#clock.now(),
      scan: pinned,
    };
    const token = encodeTicket(ticket);
    if (token.length > MAX_FILTER_BYTES) {
      throw new LakeError('invalid-argument', 'The filter is too long to be planned here', {
        hint: 'Nothing was planned: send a shorter filter, or plan in the client.',
      });
    }
    // A plan whose id no URL could hold is complete all the same; it cannot be fetched once more.
    const id = token.length <= MAX_PLAN_ID_LENGTH ? token : ticket.planId;
    return this.#slots.run(async () => this.#completed(ticket, id, metadata, form));
  }

  /** Errors: `not-found` (NoSuchPlanIdException) for an id that is none of the table, or too old; those of `plan`. */
  async fetch(metadata: TableMetadata, planId: string, form: BoundsForm): Promise<FetchedPlan> {
    const ticket = this.#ticketOf(metadata, planId, 'plan-id');
    if (this.#cancelled.has(ticket.planId)) return { status: 'cancelled' };
    return this.#slots.run(async () => this.#completed(ticket, planId, metadata, form));
  }

  /** The answers to the plan's tasks end on this server. Errors: `not-found` (NoSuchPlanIdException). */
  cancel(metadata: TableMetadata, planId: string): void {
    // The id of a plan whose filter is too long for a URL is a bare uuid.
    const id = /^[0-9a-f-]{36}$/.test(planId) ? planId : this.#ticketOf(metadata, planId, 'plan-id').planId;
    this.#cancelled.add(id);
    for (const oldest of this.#cancelled) {
      if (this.#cancelled.size <= REMEMBERED_CANCELS) break;
      this.#cancelled.delete(oldest);
    }
  }

  /** Errors: `not-found` (NoSuchPlanTaskException) for a task that is none of the table, was cancelled, or is too old; those of `plan`. */
  async tasks(metadata: TableMetadata, task: string, form: BoundsForm): Promise<ScanTasks> {
    const ticket = this.#ticketOf(metadata, task, 'plan-task');
    const { parts, rest } = ticket;
    if ((parts === undefined && rest === undefined) || this.#cancelled.has(ticket.planId)) {
      throw noSuch('plan-task');
    }
    return this.#slots.run(async () => {
      const scan = standing(metadata, ticket.scan, 'plan-task');
      if (parts !== undefined) return this.#answer(scan, parts, form);
      return { 'plan-tasks': tokens(ticket, await this.#cut(scan, ticket)) };
    });
  }

  async #completed(
    ticket: PlanTicket,
    id: string,
    metadata: TableMetadata,
    form: BoundsForm,
  ): Promise<CompletedPlan> {
    const head = { status: 'completed', 'plan-id': id } as const;
    const scan = standing(metadata, ticket.scan, 'plan-id');
    const cut = await this.#cut(scan, ticket);
    const [only, ...more] = cut.tasks;
    if (only === undefined) return { ...head, 'file-scan-tasks': [] };
    if (more.length > 0 || cut.rest !== null) return { ...head, 'plan-tasks': tokens(ticket, cut) };
    return { ...head, ...(await this.#answer(scan, only, form)) };
  }

  #cut(scan: Scan, ticket: PlanTicket): Promise<Cut> {
    const limit = Math.max(1, Math.min(MAX_TASKS, Math.floor(MAX_TOKEN_BYTES / encodeTicket(ticket).length)));
    return cutTasks(this.#ownObjects(scan), scan, ticket.rest ?? null, limit);
  }

  async #answer(scan: Scan, parts: TaskParts, form: BoundsForm): Promise<ScanTasks> {
    return scanTasksJson(scan, await scanFiles(this.#ownObjects(scan), scan, parts), form);
  }

  #ownObjects({ metadata }: Scan): PlannedObjects {
    const check = this.#reading(metadata);
    return {
      get: async (location) => {
        await check(location);
        return this.#objects.get(location);
      },
    };
  }

  #ticketOf(metadata: TableMetadata, token: string, what: TokenKind): PlanTicket {
    const ticket = decodeTicket(token);
    if (ticket?.tableUuid !== metadata['table-uuid']) throw noSuch(what);
    if (ticket.issuedAtMs + LIFETIME_MS < this.#clock.now()) throw noSuch(what);
    return ticket;
  }
}

type TokenKind = 'plan-id' | 'plan-task';

function tokens(ticket: PlanTicket, { tasks, rest }: Cut): string[] {
  const { rest: _from, ...base } = ticket;
  const cut = tasks.map((parts) => encodeTicket({ ...base, parts }));
  return rest === null ? cut : [...cut, encodeTicket({ ...base, rest })];
}

function scanTasksJson(scan: Scan, { data, deletes }: ScannedFiles, form: BoundsForm): ScanTasks {
  // Clients read partition values by the table's schema, whatever schema the scan shows.
  const schema = currentSchema(scan.metadata);
  const tasks = data.map(({ data: one, deletes: places }) => ({
    'data-file': dataFileJson(one, schema, form),
    ...(places.length === 0 ? {} : { 'delete-file-references': places }),
    'residual-filter': one.residual,
  }));
  return {
    'file-scan-tasks': tasks,
    ...(deletes.length === 0 ? {} : { 'delete-files': deletes.map((one) => deleteFileJson(one, schema)) }),
  };
}

/** A snapshot or schema that a token names may be gone. */
function standing(metadata: TableMetadata, pinned: PinnedScan, what: TokenKind): Scan {
  try {
    return scanOf(metadata, pinned);
  } catch (error) {
    if (isKind(error, 'not-found')) throw noSuch(what, error);
    throw error;
  }
}

function noSuch(what: TokenKind, cause?: unknown): LakeError {
  const reason = cause instanceof LakeError ? `: ${cause.message}` : '';
  return new LakeError('not-found', `There is no such ${what} of this table${reason}`, {
    hint: 'Plan the scan anew.',
    cause,
    context: { type: what === 'plan-id' ? 'NoSuchPlanIdException' : 'NoSuchPlanTaskException' },
  });
}
