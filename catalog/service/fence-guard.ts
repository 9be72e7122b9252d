import { LakeError } from '../../src/errors.ts';
import type { Snapshot } from '../../src/iceberg/snapshot.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import type { Fence } from '../store/catalog-store.ts';
import type { CatalogContext } from './context.ts';
import { isFenceOf } from './made-fence.ts';

/**
 * During grace a branch whose files moved goes on from its fence (DESIGN 4.2). A branch head that was before the fence, or that was
 * made on top of such a snapshot, has no tombstones in its history: a writer that began before the move would not find that its
 * files moved. So each branch that this commit sets has to be reachable from what stands behind a fence, or to bring a
 * fence of its own in the same commit. That a fence expires changes nothing: the journal keeps its id, and the heads of the base
 * were checked when they were set.
 *
 * A branch that no move touched may also follow the others of its kind; a new one made from an old snapshot needs a fence, since a writer that read the
 * table before the move may be about to create it.
 *
 * @param unpublished fences of commits that `base` has and the journal does not yet: they guard like those of the journal
 * @returns the fences that the commit brings, guarded as long as those that it replaces
 * @throws LakeError('invalid-argument') with the reason, and until when
 */
export async function checkFences(
  context: CatalogContext,
  base: TableMetadata | null,
  next: TableMetadata,
  unpublished: readonly Fence[] = [],
): Promise<readonly Fence[]> {
  const changed = Object.entries(next.refs).filter(
    ([name, ref]) => ref.type === 'branch' && branchHead(base, name) !== ref['snapshot-id'],
  );
  if (changed.length === 0) return [];
  const guarded = await context.store.guardedFences(next['table-uuid'], context.clock.now());
  const fences = [...guarded, ...unpublished];
  if (fences.length === 0) return [];
  const guard = new FenceGuard(context, base, next, fences);
  const made: Fence[] = [];
  for (const [name, ref] of changed) {
    const own = await guard.check(name, ref['snapshot-id']);
    if (own !== null) made.push(own);
  }
  return made;
}

function branchHead(metadata: TableMetadata | null, name: string): bigint | undefined {
  const ref = metadata !== null && Object.hasOwn(metadata.refs, name) ? metadata.refs[name] : undefined;
  return ref?.type === 'branch' ? ref['snapshot-id'] : undefined;
}

class FenceGuard {
  readonly #context: CatalogContext;
  readonly #base: TableMetadata | null;
  readonly #next: TableMetadata;
  readonly #fences: readonly Fence[];
  /** Snapshots of both sides of the commit: one that it removes is still part of the way. */
  readonly #byId: ReadonlyMap<bigint, Snapshot>;
  readonly #before: ReadonlySet<bigint>;

  constructor(
    context: CatalogContext,
    base: TableMetadata | null,
    next: TableMetadata,
    fences: readonly Fence[],
  ) {
    this.#context = context;
    this.#base = base;
    this.#next = next;
    this.#fences = fences;
    const old = base?.snapshots ?? [];
    this.#byId = new Map([...old, ...next.snapshots].map((one) => [one['snapshot-id'], one]));
    this.#before = new Set(old.map((one) => one['snapshot-id']));
  }

  /** Null if `head` stands behind every guarded fence; the fence if the commit brings one. */
  async check(name: string, head: bigint): Promise<Fence | null> {
    for (const fence of this.#fences) {
      if (this.#isBehind(name, head, fence)) continue;
      const made = await this.#madeOnTheWay(head);
      if (made === null) throw beforeFence(name, head, fence, branchHead(this.#base, name) === undefined);
      return {
        ref: name,
        snapshotId: made['snapshot-id'],
        untilMs: Math.max(...this.#fences.map((one) => one.untilMs)),
        afterSequenceNumber: this.#base?.['last-sequence-number'] ?? 0,
      };
    }
    return null;
  }

  #isBehind(name: string, head: bigint, fence: Fence): boolean {
    const good = this.#behind(name, fence);
    for (const id of this.#way(head)) {
      if (good.has(id)) return true;
      if (this.#isNewRoot(id)) return true;
    }
    return false;
  }

  /** Snapshots from which the branch may go on: the fences of this move and later ones, and what the base's branches have put on them. */
  #behind(name: string, fence: Fence): ReadonlySet<bigint> {
    const fences = this.#fences.filter((one) => one.afterSequenceNumber >= fence.afterSequenceNumber);
    const stops = new Set(fences.map((one) => one.snapshotId));
    const fenced = new Set(fences.map((one) => one.ref));
    const good = new Set(stops);
    for (const other of Object.keys(this.#base?.refs ?? {})) {
      const head = branchHead(this.#base, other);
      if (head === undefined || (fenced.has(name) && !fenced.has(other))) continue;
      for (const id of this.#way(head)) {
        if (stops.has(id)) break;
        good.add(id);
      }
    }
    return good;
  }

  /** The ids from a head back by parents; the last one may be of a snapshot that has expired. */
  *#way(head: bigint): Generator<bigint, void> {
    const seen = new Set<bigint>();
    for (let id: bigint | undefined = head; id !== undefined && !seen.has(id); ) {
      seen.add(id);
      yield id;
      id = this.#byId.get(id)?.['parent-snapshot-id'];
    }
  }

  /** A table replaced as a whole begins a history of its own: no old file is in it. */
  #isNewRoot(id: bigint): boolean {
    const snapshot = this.#byId.get(id);
    if (this.#base === null || snapshot === undefined || this.#before.has(id)) return false;
    const isLater = snapshot['sequence-number'] > this.#base['last-sequence-number'];
    return snapshot['parent-snapshot-id'] === undefined && isLater;
  }

  /** The first snapshot on the way that this commit adds and that is a fence of what lies before it. */
  async #madeOnTheWay(head: bigint): Promise<Snapshot | null> {
    for (const id of this.#way(head)) {
      const snapshot = this.#byId.get(id);
      if (snapshot === undefined || this.#before.has(id)) return null;
      const parent = snapshot['parent-snapshot-id'];
      if (parent === undefined) return null;
      const history = [...this.#way(parent)].flatMap((one) => this.#byId.get(one) ?? []);
      const earlier = new Set(this.#fences.map((fence) => fence.snapshotId));
      const uuid = this.#next['table-uuid'];
      if (await isFenceOf(this.#context, uuid, snapshot, history, earlier)) return snapshot;
    }
    return null;
  }
}

function beforeFence(name: string, head: bigint, fence: Fence, isNew: boolean): LakeError {
  const until = new Date(fence.untilMs).toISOString();
  const instead = isNew
    ? 'A tag may name any snapshot at any time, and a branch one that is newer than the move'
    : 'Use `lake table rollback`, which sets a branch back safely';
  return new LakeError(
    'invalid-argument',
    `Branch ${name} cannot be ${isNew ? 'made at' : 'set to'} snapshot ${head} yet: files have moved between tiers since, and a writer that began before would not notice`,
    { hint: `Nothing was changed. ${instead}; a plain update may do this after ${until}.` },
  );
}
