import avsc from 'avsc';

/**
 * avsc reads as many items of a list as a count in the bytes says, past their end: one damaged byte would make it fill the
 * memory, or run for hours. These types of list and map refuse a count that their bytes cannot hold.
 */
interface Tap {
  readonly buf: Uint8Array;
  readonly pos: number;
  readLong(): number;
  readString(): string;
  skipString(): void;
}

interface Codec {
  _read(tap: Tap): unknown;
  _skip(tap: Tap): void;
}

/** avsc's types do not name the methods that its types call on each other. */
const codecOf = (type: unknown): Codec => type as Codec;

/** The size of the next block of a list or map; 0 at its end. An item takes a byte at least. */
function nextCount(tap: Tap): number {
  const count = tap.readLong();
  if (count < 0) tap.readLong();
  const items = Math.abs(count);
  if (items > 0 && items > tap.buf.length - tap.pos) throw new Error('a list in it is longer than its data');
  return items;
}

class CountedArray extends avsc.types.ArrayType {
  _read(tap: Tap): unknown[] {
    const items = codecOf(this.itemsType);
    const list: unknown[] = [];
    for (let left = nextCount(tap); left > 0; left = nextCount(tap))
      for (; left > 0; left--) list.push(items._read(tap));
    return list;
  }

  _skip(tap: Tap): void {
    const items = codecOf(this.itemsType);
    for (let left = nextCount(tap); left > 0; left = nextCount(tap))
      for (; left > 0; left--) items._skip(tap);
  }
}

class CountedMap extends avsc.types.MapType {
  _read(tap: Tap): Record<string, unknown> {
    const values = codecOf(this.valuesType);
    const map: Record<string, unknown> = {};
    for (let left = nextCount(tap); left > 0; left = nextCount(tap))
      for (; left > 0; left--) {
        const key = tap.readString();
        map[key] = values._read(tap);
      }
    return map;
  }

  _skip(tap: Tap): void {
    const values = codecOf(this.valuesType);
    for (let left = nextCount(tap); left > 0; left = nextCount(tap))
      for (; left > 0; left--) {
        tap.skipString();
        values._skip(tap);
      }
  }
}

/** For avsc's option `typeHook`: lists and maps whose counts are checked. */
export function countedTypes(schema: unknown, options: object): avsc.Type | undefined {
  const type = typeof schema === 'object' && schema !== null && 'type' in schema ? schema.type : null;
  if (type === 'array') return new CountedArray(schema as avsc.Schema, options);
  return type === 'map' ? new CountedMap(schema as avsc.Schema, options) : undefined;
}
