import { z } from 'zod';
import { LakeError } from '../errors.ts';
import { parseJson } from '../iceberg/json.ts';
import type { TableMetadata } from '../iceberg/table-metadata.ts';
import type { TableUpdate } from '../iceberg/updates.ts';
import type { Pin } from '../policy/evaluate.ts';

/** One table property a restore, named by its relocation: its partitions stay where they were brought until the pin ends. */
const PIN_PREFIX = 'lake.restore.';

/** The property that holds a restore's pin. */
export function pinName(relocationId: string): string {
  return `${PIN_PREFIX}${relocationId}`;
}

const pinSchema = z.object({
  until: z.string(),
  partitions: z.array(z.string()),
});

/** The pins of a table. Errors: `corrupt` for a property that was edited by hand: unread, it would let a policy undo a restore. */
export function pinsOf({ properties, location }: Pick<TableMetadata, 'properties' | 'location'>): Pin[] {
  return Object.entries(properties)
    .filter(([key]) => key.startsWith(PIN_PREFIX))
    .map(([key, text]) => {
      const pin = pinSchema.safeParse(parsed(text)).data;
      const untilMs = Date.parse(pin?.until ?? '');
      if (pin !== undefined && !Number.isNaN(untilMs))
        return { partitions: new Set(pin.partitions), untilMs };
      throw new LakeError('corrupt', `the table property ${key} is no restore: ${text}`, {
        where: location,
        hint: 'remove the property; the policies then rule these partitions again',
      });
    });
}

/** Sets the pin of a restore, and takes away those that have ended or that it stands in for. Pure. */
export function pinUpdates(
  { properties, location }: Pick<TableMetadata, 'properties' | 'location'>,
  pin: {
    readonly relocationId: string;
    readonly partitions: readonly string[];
    readonly untilMs: number;
  } | null,
  options: { readonly nowMs: number; readonly ended?: string },
): TableUpdate[] {
  const ended = Object.keys(properties).filter((key) => {
    if (!key.startsWith(PIN_PREFIX)) return false;
    if (key === pinName(options.ended ?? '')) return true;
    const value = { location, properties: { [key]: properties[key] ?? '' } };
    return pinsOf(value).every(({ untilMs }) => untilMs <= options.nowMs);
  });
  const removals: TableUpdate[] =
    ended.length === 0 ? [] : [{ action: 'remove-properties', removals: ended }];
  if (pin === null) return removals;
  const until = new Date(pin.untilMs).toISOString();
  const value = JSON.stringify({ until, partitions: pin.partitions });
  return [...removals, { action: 'set-properties', updates: { [pinName(pin.relocationId)]: value } }];
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
