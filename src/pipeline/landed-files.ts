import type { TableMetadata } from '../iceberg/table-metadata.ts';
import { descent, type Lineage, mainLineage, type RememberedSnapshot } from './lineage.ts';
import type { SourceBytes } from './source-files.ts';

/** In the summary of the snapshot that landed a file. */
export const SOURCE_FILE_PROPERTY = 'lake.source-file';
/** Beside it: the SHA-256 of the file's bytes, in hex. */
export const SOURCE_HASH_PROPERTY = 'lake.source-sha256';
/** Iceberg's name, in the summary of a cherry-picked snapshot: the snapshot that it was picked from. */
const PICKED_FROM = 'source-snapshot-id';

const FILE_PREFIX = 'lake.source.';
const LINEAGE_PROPERTY = 'lake.lineage';
const DOUBTED = ' ?';

/** What a bronze table's property remembers of a landing. */
interface Landing extends SourceBytes {
  /** The snapshot that landed the file; null in what an earlier version wrote. */
  readonly snapshot: RememberedSnapshot | null;
  /** It was not in main's lineage, or that could not be told, when `lake.lineage` was last set. */
  readonly doubted: boolean;
}

/** `landed`: main has the file's rows, `waiting`: it has not, `unknown`: expiry has cut off what would tell. */
export interface FileLanding {
  readonly status: 'landed' | 'waiting' | 'unknown';
  /** The bytes that landed, where they are remembered. */
  readonly bytes: SourceBytes | null;
}

/** What a bronze table's metadata says of the files that have landed in main as it is. */
export interface LandedFiles {
  of(name: string): FileLanding;
  /** Properties for a commit that makes `snapshot` (its head, or the child of its head) vouch for what has landed. */
  vouched(snapshot: RememberedSnapshot): Record<string, string>;
  /** What vouches for landings whose own snapshots have expired. */
  readonly vouching: RememberedSnapshot | null;
}

/**
 * Reads what has landed from a bronze table. A landing counts as long as main descends from it, so that one that was
 * rolled back lands again. What proves it, in this order: its snapshot in main's lineage (or cherry-picked into it),
 * another landing of the same file in it, a snapshot in the lineage that vouches for it (`lake.lineage`, moved
 * forward by the runs). A lineage that goes back beyond the landing without it proves the contrary. Pure.
 */
export function landedFiles(metadata: TableMetadata): LandedFiles {
  const lineage = mainLineage(metadata);
  const inLineage = landedInLineage(lineage);
  const landings = landingsOf(metadata.properties);
  const vouching = rememberedSnapshot(metadata.properties[LINEAGE_PROPERTY] ?? '');
  const vouched = vouching !== null && descent(lineage, vouching) === 'descends' ? vouching.sequence : -1;

  const statusOf = (name: string, landing: Landing | undefined): FileLanding['status'] => {
    if (inLineage.names.has(name)) return 'landed';
    if (landing === undefined) return 'waiting';
    if (landing.snapshot === null) return lineage.snapshots.length === 0 ? 'waiting' : 'unknown';
    if (inLineage.picked.has(landing.snapshot.snapshotId)) return 'landed';
    const descends = descent(lineage, landing.snapshot);
    if (descends !== 'unknown') return descends === 'descends' ? 'landed' : 'waiting';
    return !landing.doubted && landing.snapshot.sequence <= vouched ? 'landed' : 'unknown';
  };
  return {
    vouching,
    of: (name) => {
      const landing = landings.get(name);
      return {
        status: statusOf(name, landing),
        bytes: landing ? bytesOf(landing, inLineage.names.get(name)) : null,
      };
    },
    vouched: (snapshot) => {
      const properties: Record<string, string> = { [LINEAGE_PROPERTY]: snapshotText(snapshot) };
      for (const [name, landing] of landings) {
        const doubted = statusOf(name, landing) !== 'landed';
        if (doubted !== landing.doubted)
          properties[FILE_PREFIX + name] = landingText({ ...landing, doubted });
      }
      return properties;
    },
  };
}

/** After a rollback of a file's second landing main holds the bytes of the first, which the property no longer tells. */
function bytesOf(landing: Landing, hash: string | undefined): SourceBytes {
  return hash === undefined || hash === landing.sha256
    ? landing
    : { ...landing, modifiedMs: -1, sha256: hash };
}

/** Files by name with the hash of the bytes that the newest of their landings landed (undefined if an earlier version did). */
function landedInLineage(lineage: Lineage): {
  names: Map<string, string | undefined>;
  picked: Set<bigint>;
} {
  const names = new Map<string, string | undefined>();
  const picked = new Set<bigint>();
  for (const { summary } of lineage.snapshots) {
    const name = summary[SOURCE_FILE_PROPERTY];
    if (name !== undefined && !names.has(name)) names.set(name, summary[SOURCE_HASH_PROPERTY]);
    const from = summary[PICKED_FROM];
    if (from !== undefined && /^\d+$/.test(from)) picked.add(BigInt(from));
  }
  return { names, picked };
}

/** The property that remembers a file's landing. */
export function landingProperty(
  name: string,
  bytes: SourceBytes,
  snapshot: RememberedSnapshot,
): Record<string, string> {
  const { size, modifiedMs, sha256 } = bytes;
  return { [FILE_PREFIX + name]: landingText({ size, modifiedMs, sha256, snapshot, doubted: false }) };
}

function landingText({ size, modifiedMs, sha256, snapshot, doubted }: Landing): string {
  const from = snapshot === null ? '' : ` ${snapshotText(snapshot)}`;
  return `${size} ${modifiedMs} ${sha256}${from}${doubted ? DOUBTED : ''}`;
}

function landingsOf(properties: Readonly<Record<string, string>>): Map<string, Landing> {
  const landings = new Map<string, Landing>();
  for (const [key, text] of Object.entries(properties)) {
    if (!key.startsWith(FILE_PREFIX)) continue;
    const parts = /^(\d+) (\d+) ([0-9a-f]{64})(?: (\d+ \d+))?( \?)?$/.exec(text);
    if (parts === null) continue;
    landings.set(key.slice(FILE_PREFIX.length), {
      size: Number(parts[1]),
      modifiedMs: Number(parts[2]),
      sha256: parts[3] ?? '',
      snapshot: rememberedSnapshot(parts[4] ?? ''),
      doubted: parts[5] !== undefined,
    });
  }
  return landings;
}

const snapshotText = ({ snapshotId, sequence }: RememberedSnapshot): string => `${snapshotId} ${sequence}`;

function rememberedSnapshot(text: string): RememberedSnapshot | null {
  const parts = /^(\d+) (\d+)$/.exec(text);
  return parts === null ? null : { snapshotId: BigInt(parts[1] ?? ''), sequence: Number(parts[2]) };
}
