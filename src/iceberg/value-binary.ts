import { LakeError } from '../errors.ts';
import { MICROS_PER_DAY } from './time-text.ts';
import {
  describeType,
  fixedLength,
  type PrimitiveKind,
  type PrimitiveValue,
  primitiveKind,
  type Type,
} from './types.ts';
import { expectBigint, expectBoolean, expectBytes, expectNumber, expectText } from './value-kinds.ts';

interface BinaryCodec {
  encode(value: PrimitiveValue, type: Type): Uint8Array;
  decode(bytes: Uint8Array, type: Type): PrimitiveValue;
}

// A byte order mark is a character of the value, and broken UTF-8 must not become a wrong bound.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A single value in Iceberg's binary form (spec: appendix D), as bounds of columns and partitions hold it.
 *
 * @throws LakeError('invalid-argument') if the value is not one of the type.
 * @throws LakeError('unsupported') for types without a binary form (unknown, variant).
 */
export function encodeValue(type: Type, value: PrimitiveValue): Uint8Array {
  return codecs[primitiveKind(type)].encode(value, type);
}

/**
 * Reads a single value in binary form. A value written before its column was promoted (int to long, float to
 * double, date to timestamp, decimal to a higher precision) is read as one of the promoted type.
 *
 * @throws LakeError('corrupt') if the bytes are none of the type.
 */
export function decodeValue(type: Type, bytes: Uint8Array): PrimitiveValue {
  return codecs[primitiveKind(type)].decode(bytes, type);
}

/** The 16 bytes of a uuid, most significant first. */
export function uuidBytes(uuid: string): Uint8Array {
  return Uint8Array.from(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
}

/** An integer in two's complement, big-endian, in as few bytes as it fits (as Java's BigInteger has it). */
export function minimalBigEndian(value: bigint): Uint8Array {
  const magnitude = value < 0n ? ~value : value;
  const bits = magnitude === 0n ? 1 : magnitude.toString(2).length + 1;
  const length = Math.ceil(bits / 8);
  const hex = BigInt.asUintN(length * 8, value).toString(16);
  return Uint8Array.from(Buffer.from(hex.padStart(length * 2, '0'), 'hex'));
}

const integers: BinaryCodec = {
  encode: (value, type) => fill(4, (view) => view.setInt32(0, expectNumber(type, value), true)),
  decode: (bytes, type) => sized(type, bytes, 4).getInt32(0, true),
};

const longs: BinaryCodec = {
  encode: (value, type) => fill(8, (view) => view.setBigInt64(0, expectBigint(type, value), true)),
  decode: (bytes, type) => {
    const view = sized(type, bytes, 4, 8);
    return view.byteLength === 4 ? BigInt(view.getInt32(0, true)) : view.getBigInt64(0, true);
  },
};

const times: BinaryCodec = {
  encode: longs.encode,
  decode: (bytes, type) => sized(type, bytes, 8).getBigInt64(0, true),
};

const micros = timestamps(MICROS_PER_DAY);
const nanos = timestamps(MICROS_PER_DAY * 1000n);

const raw: BinaryCodec = {
  encode: (value, type) => Uint8Array.from(expectBytes(type, value)),
  decode: (bytes) => Uint8Array.from(bytes),
};

const noBinaryForm: BinaryCodec = { encode: (_, type) => refuse(type), decode: (_, type) => refuse(type) };

const codecs: Record<PrimitiveKind, BinaryCodec> = {
  unknown: noBinaryForm,
  variant: noBinaryForm,
  boolean: {
    encode: (value, type) => Uint8Array.of(expectBoolean(type, value) ? 1 : 0),
    decode: (bytes, type) => sized(type, bytes, 1).getUint8(0) !== 0,
  },
  int: integers,
  date: integers,
  long: longs,
  time: times,
  timestamp: micros,
  timestamptz: times,
  timestamp_ns: nanos,
  timestamptz_ns: times,
  float: {
    encode: (value, type) => fill(4, (view) => view.setFloat32(0, expectNumber(type, value), true)),
    decode: (bytes, type) => sized(type, bytes, 4).getFloat32(0, true),
  },
  double: {
    encode: (value, type) => fill(8, (view) => view.setFloat64(0, expectNumber(type, value), true)),
    decode: (bytes, type) => {
      const view = sized(type, bytes, 4, 8);
      return view.byteLength === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true);
    },
  },
  string: {
    encode: (value, type) => Uint8Array.from(Buffer.from(expectText(type, value), 'utf8')),
    decode: decodeText,
  },
  uuid: {
    encode: (value, type) => uuidBytes(expectText(type, value)),
    decode: (bytes, type) => {
      sized(type, bytes, 16);
      return Buffer.from(bytes)
        .toString('hex')
        .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    },
  },
  fixed: {
    encode: raw.encode,
    decode: (bytes, type) => {
      sized(type, bytes, fixedLength(type) ?? 0);
      return Uint8Array.from(bytes);
    },
  },
  binary: raw,
  geometry: raw,
  geography: raw,
  decimal: {
    encode: (value, type) => minimalBigEndian(expectBigint(type, value)),
    decode: (bytes, type) => {
      if (bytes.length === 0) throw corrupt(type, bytes, 'at least 1');
      return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
    },
  },
};

/** Without a zone: bounds of four bytes were written while the column was a date (spec: "Schema Evolution"). */
function timestamps(ticksPerDay: bigint): BinaryCodec {
  return {
    encode: longs.encode,
    decode: (bytes, type) => {
      const view = sized(type, bytes, 4, 8);
      return view.byteLength === 4 ? BigInt(view.getInt32(0, true)) * ticksPerDay : view.getBigInt64(0, true);
    },
  };
}

function fill(length: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  write(new DataView(bytes.buffer));
  return bytes;
}

function sized(type: Type, bytes: Uint8Array, ...lengths: number[]): DataView {
  if (!lengths.includes(bytes.length)) throw corrupt(type, bytes, lengths.join(' or '));
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new LakeError('corrupt', 'a string value in binary form is not valid UTF-8', {
      hint: 'the manifest that holds it is damaged or was written wrongly',
      cause,
    });
  }
}

function corrupt(type: Type, bytes: Uint8Array, expected: string): LakeError {
  return new LakeError(
    'corrupt',
    `a ${describeType(type)} value in binary form has ${bytes.length} bytes, not ${expected}`,
    {
      hint: 'the manifest that holds it is damaged, or the column was changed to a type it cannot be read as',
    },
  );
}

function refuse(type: Type): never {
  throw new LakeError('unsupported', `values of type ${describeType(type)} have no binary form`);
}
