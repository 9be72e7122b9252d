import { stringifyJson } from './json.ts';
import { metadataFields } from './metadata-json.ts';
import type { TableMetadata } from './table-metadata.ts';

/** A list as it stands in a file written before, without its brackets. */
interface WrittenList {
  readonly list: readonly unknown[];
  readonly bytes: Uint8Array;
}

/** Shorter lists are rendered anew each time. */
const LONG = 32;
/** By the first element. A list that grows keeps it, and so do the lists of all versions of one table. */
const written = new WeakMap<object, WrittenList>();

/**
 * `serializeTableMetadata` in UTF-8. Snapshots and logs grow by an element at most commits: what a file written before holds of them is copied from
 * there, so that a commit to a table with a long history costs little more than the copying of its bytes. This rests on metadata never being changed in
 * place: a list that begins with the same objects begins with the same bytes.
 */
export function encodeTableMetadata(metadata: TableMetadata): Buffer {
  const chunks: Uint8Array[] = [];
  const lists: { readonly list: readonly unknown[]; readonly from: number; readonly to: number }[] = [];
  let length = 0;
  let text = '{';
  const flush = (more: string): void => {
    const bytes = Buffer.from(text + more);
    chunks.push(bytes);
    length += bytes.length;
    text = '';
  };
  for (const [name, value] of metadataFields(metadata)) {
    text += `${text === '{' ? '' : ','}${JSON.stringify(name)}:`;
    if (!Array.isArray(value) || value.length < LONG) {
      text += stringifyJson(value);
      continue;
    }
    flush('[');
    const from = length;
    const known = beginningOf(value);
    if (known !== null) {
      chunks.push(known.bytes);
      length += known.bytes.length;
    }
    const rest = value.slice(known?.list.length ?? 0).map((item: unknown) => stringifyJson(item));
    flush(`${known === null || rest.length === 0 ? '' : ','}${rest.join(',')}`);
    lists.push({ list: value, from, to: length });
    text = ']';
  }
  flush('}');
  const whole = Buffer.concat(chunks, length);
  for (const { list, from, to } of lists) remember({ list, bytes: whole.subarray(from, to) });
  return whole;
}

/** What was written of the same list when it was not longer than now. */
function beginningOf(list: readonly unknown[]): WrittenList | null {
  const [first] = list;
  const known = typeof first === 'object' && first !== null ? written.get(first) : undefined;
  if (known === undefined || known.list.length > list.length) return null;
  return known.list.every((item, at) => item === list[at]) ? known : null;
}

function remember(list: WrittenList): void {
  const [first] = list.list;
  if (typeof first === 'object' && first !== null) written.set(first, list);
}
