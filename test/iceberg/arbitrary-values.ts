import fc from 'fast-check';
import type { PrimitiveValue } from '../../src/iceberg/types.ts';

const int32 = fc.oneof(fc.integer(), fc.constantFrom(0, -1, 1, -(2 ** 31), 2 ** 31 - 1));
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, -1n, 1n, -(2n ** 63n), 2n ** 63n - 1n),
);
const decimal = (precision: number) => {
  const max = 10n ** BigInt(precision) - 1n;
  return fc.oneof(
    fc.bigInt({ min: -max, max }),
    fc.constantFrom(0n, -1n, 127n, 128n, -128n, -129n, max, -max),
  );
};
const bytes = fc.uint8Array({ maxLength: 20 });

/** Values of each primitive type with a binary form, leaning to the edges of its range. */
export const valuesOf: Readonly<Record<string, fc.Arbitrary<PrimitiveValue>>> = {
  boolean: fc.boolean(),
  int: int32,
  long: int64,
  float: fc.float(),
  double: fc.double(),
  date: int32,
  time: fc.bigInt({ min: 0n, max: 86_399_999_999n }),
  timestamp: int64,
  timestamptz: int64,
  timestamp_ns: int64,
  timestamptz_ns: int64,
  string: fc.string({ unit: 'binary' }),
  uuid: fc.uuid(),
  'fixed[5]': fc.uint8Array({ minLength: 5, maxLength: 5 }),
  binary: bytes,
  'decimal(9,2)': decimal(9),
  'decimal(38,10)': decimal(38),
  'decimal(38,0)': decimal(38),
};
