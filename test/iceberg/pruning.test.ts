import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bind,
  type Expression,
  evaluateRow,
  type Literal,
  rewriteNot,
} from '../../src/iceberg/expressions.ts';
import type { DataFile } from '../../src/iceberg/manifest.ts';
import { summarizeManifest } from '../../src/iceberg/manifest-list.ts';
import { buildMetrics, type ColumnMetrics, type MetricsMode } from '../../src/iceberg/metrics.ts';
import { type PartitionSpec, partitionKey } from '../../src/iceberg/partition-spec.ts';
import {
  fileMayMatch,
  fileMustMatch,
  manifestMayMatch,
  partitionMayMatch,
  partitionMustMatch,
} from '../../src/iceberg/pruning.ts';
import type { Schema } from '../../src/iceberg/schema.ts';
import { applyTransform, canTransform, parseTransform } from '../../src/iceberg/transforms.ts';
import type { PrimitiveValue, Value } from '../../src/iceberg/types.ts';
import { compareValues } from '../../src/iceberg/values.ts';
import { valuesOf } from './arbitrary-values.ts';

type Row = readonly Value[];

interface Case {
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  readonly rows: readonly Row[];
  readonly expression: Expression;
  readonly mode: MetricsMode;
}

const TRANSFORMS = [
  'identity',
  'void',
  'year',
  'month',
  'day',
  'hour',
  'bucket[3]',
  'truncate[2]',
  'truncate[7]',
];
/** Values near each other, so that ranges overlap; those of `valuesOf` lie far apart. */
const NEAR: Readonly<Record<string, fc.Arbitrary<PrimitiveValue>>> = {
  int: fc.integer({ min: -9, max: 9 }),
  long: fc.bigInt({ min: -9n, max: 9n }),
  date: fc.integer({ min: -70, max: 70 }),
  timestamp: fc.bigInt({ min: -200_000_000_000n, max: 200_000_000_000n }),
  double: fc.constantFrom(Number.NaN, -0, 0, 1.5, -1.5, Infinity, -Infinity),
  float: fc.constantFrom(Number.NaN, -0, 0, 1.5, -1.5, Infinity, -Infinity),
  string: fc
    .array(fc.constantFrom('a', 'b', '\u{10FFFF}', '\uD7FF', '￿', '😀'), { maxLength: 9 })
    .map((c) => c.join('')),
  binary: fc.array(fc.constantFrom(0, 1, 255), { maxLength: 9 }).map((bytes) => Uint8Array.from(bytes)),
  'decimal(9,2)': fc.bigInt({ min: -300n, max: 300n }),
};

const values = (type: string): fc.Arbitrary<PrimitiveValue> => {
  const any = valuesOf[type] ?? fc.constant(0);
  const near = NEAR[type];
  return near ? fc.oneof({ weight: 4, arbitrary: near }, { weight: 1, arbitrary: any }) : any;
};

const numberLiteral: fc.Arbitrary<Literal> = fc
  .constantFrom(
    '0',
    '-0.0',
    '1.5',
    '-1',
    '2.005',
    '0.1',
    '3000000000',
    '99999999999999999999',
    '1e2',
    '-1e-3',
  )
  .map((text) => ({ sql: 'number', text }));

const predicates = (column: string, type: string): fc.Arbitrary<Expression> => {
  const literal: fc.Arbitrary<Literal> = fc.oneof(values(type), values(type), numberLiteral);
  return fc.oneof(
    fc.record({ kind: fc.constantFrom('isNull', 'notNull', 'isNan', 'notNan'), column: fc.constant(column) }),
    fc.record({
      kind: fc.constantFrom('eq', 'notEq', 'lt', 'ltEq', 'gt', 'gtEq'),
      column: fc.constant(column),
      literal,
    }),
    fc.record({
      kind: fc.constantFrom('in', 'notIn'),
      column: fc.constant(column),
      literals: fc.array(literal, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constantFrom('startsWith', 'notStartsWith'),
      column: fc.constant(column),
      prefix: fc.oneof(
        fc.constantFrom('', 'a', 'ab', '😀', '\u{10FFFF}'),
        fc.string({ unit: 'binary', maxLength: 3 }),
      ),
    }),
  );
};

const combined = (leaf: fc.Arbitrary<Expression>): fc.Arbitrary<Expression> =>
  fc.letrec<{ node: Expression }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc.record({ kind: fc.constant('not' as const), child: tie('node') }),
      fc.record({
        kind: fc.constantFrom('and' as const, 'or' as const),
        children: fc.array(tie('node'), { maxLength: 3 }),
      }),
    ),
  })).node;

const modes = fc.constantFrom<MetricsMode>(
  { kind: 'none' },
  { kind: 'counts' },
  { kind: 'full' },
  { kind: 'truncate', length: 1 },
  { kind: 'truncate', length: 3 },
);

const cases: fc.Arbitrary<Case> = fc
  .array(fc.constantFrom(...Object.keys(valuesOf)), { minLength: 1, maxLength: 3 })
  .chain((types) => {
    const schema: Schema = {
      type: 'struct',
      'schema-id': 0,
      fields: types.map((type, at) => ({ id: at + 1, name: `c${at}`, required: false, type })),
    };
    const row = fc.tuple(...types.map((type) => fc.option(values(type), { freq: 5 })));
    return fc.record({
      schema: fc.constant(schema),
      spec: fc
        .array(fc.tuple(fc.nat(types.length - 1), fc.constantFrom(...TRANSFORMS)), { maxLength: 3 })
        .map((chosen): PartitionSpec => {
          const fitting = chosen.filter(([at, text]) =>
            canTransform(parseTransform(text), types[at] ?? 'int'),
          );
          const fields = fitting.map(([at, transform], n) => ({
            'source-id': at + 1,
            'field-id': 1000 + n,
            name: `p${n}`,
            transform,
          }));
          return { 'spec-id': 0, fields };
        }),
      rows: fc.array(row, { minLength: 1, maxLength: 6 }),
      expression: combined(fc.oneof(...types.map((type, at) => predicates(`c${at}`, type)))),
      mode: modes,
    });
  });

function tupleOf({ schema, spec }: Case, row: Row): Value[] {
  return spec.fields.map((field) => {
    const at = field['source-id'] - 1;
    return applyTransform(parseTransform(field.transform), schema.fields[at]?.type ?? 'int', row[at] ?? null);
  });
}

/** The rows as files of one partition each, with the metrics that a writer gives them. */
function filesOf(given: Case): { file: DataFile; rows: Row[] }[] {
  const partitions = new Map<string, { tuple: Value[]; rows: Row[] }>();
  for (const row of given.rows) {
    const tuple = tupleOf(given, row);
    const found = partitions.get(partitionKey(tuple)) ?? { tuple, rows: [] };
    found.rows.push(row);
    partitions.set(partitionKey(tuple), found);
  }
  return [...partitions.values()].map(({ tuple, rows }) => ({ file: fileOf(given, tuple, rows), rows }));
}

function fileOf({ schema, mode }: Case, partition: Value[], rows: Row[]): DataFile {
  const columns = schema.fields.map((field, at): ColumnMetrics => {
    const held = rows.map((row) => row[at] ?? null).filter((value) => value !== null);
    const sorted = held
      .filter((value) => !Number.isNaN(value))
      .sort((a, b) => compareValues(field.type, a, b));
    const [lower, upper] = [sorted.at(0), sorted.at(-1)];
    return {
      fieldId: field.id,
      type: field.type,
      valueCount: rows.length,
      nullCount: rows.length - held.length,
      nanCount: held.length - sorted.length,
      ...(lower === undefined || upper === undefined ? {} : { lower, upper }),
    };
  });
  return {
    content: 'data',
    filePath: 'file:///t/a.parquet',
    fileFormat: 'PARQUET',
    partition,
    recordCount: rows.length,
    fileSizeInBytes: 1,
    ...buildMetrics(columns, () => mode),
  };
}

/** SQL's three-valued logic, written down a second time: null is unknown. */
function truth(expression: Expression, given: Case, row: Row): boolean | null {
  switch (expression.kind) {
    case 'and':
    case 'or': {
      const found = expression.children.map((child) => truth(child, given, row));
      const decisive = expression.kind === 'or';
      if (found.includes(decisive)) return decisive;
      return found.includes(null) ? null : !decisive;
    }
    case 'not': {
      const inner = truth(expression.child, given, row);
      return inner === null ? null : !inner;
    }
    case 'true':
    case 'false':
      return expression.kind === 'true';
    default: {
      const at = Number(expression.column.slice(1));
      const nullTest = expression.kind === 'isNull' || expression.kind === 'notNull';
      if (!nullTest && (row[at] ?? null) === null) return null;
      return evaluateRow(bind(expression, given.schema), (id) => row[id - 1] ?? null);
    }
  }
}

/** Null where the expression compares a column with what its type cannot hold: rows are up to the engine. */
function matches(given: Case, row: Row): boolean | null {
  try {
    const bound = bind(given.expression, given.schema);
    return evaluateRow(bound, (id) => row[id - 1] ?? null);
  } catch {
    return null;
  }
}

describe('pruning', () => {
  test('never leaves out a matching row and never takes one that does not match', () => {
    let pruned = 0;
    let taken = 0;
    fc.assert(
      fc.property(cases, (given) => {
        const { schema, spec } = given;
        const bound = bind(given.expression, schema);
        const files = filesOf(given);
        const manifest = summarizeManifest({
          path: 'm',
          length: 1,
          spec,
          schema,
          content: 'data',
          snapshotId: 1n,
          sequenceNumber: 1,
          entries: files.map(({ file }) => ({
            status: 'added',
            snapshotId: null,
            sequenceNumber: null,
            fileSequenceNumber: null,
            dataFile: file,
          })),
        });
        const manifestMay = manifestMayMatch(bound, schema, spec, manifest);
        for (const { file, rows } of files) {
          const fileMay = fileMayMatch(bound, schema, file);
          const partitionMay = partitionMayMatch(bound, schema, spec, file.partition);
          const must =
            fileMustMatch(bound, schema, file) || partitionMustMatch(bound, schema, spec, file.partition);
          if (!fileMay || !partitionMay) pruned++;
          if (must) taken++;
          for (const row of rows) {
            const selected = matches(given, row);
            if (selected === true)
              expect({ manifestMay, fileMay, partitionMay }).toEqual({
                manifestMay: true,
                fileMay: true,
                partitionMay: true,
              });
            if (selected === false) expect(must).toBe(false);
          }
        }
      }),
      // A fixed seed: what is counted below must not hang on luck.
      { numRuns: 4000, seed: 20261121 },
    );
    // A pruning that keeps everything would pass, too.
    expect(pruned).toBeGreaterThan(300);
    expect(taken).toBeGreaterThan(100);
  });

  test('moving NOT into predicates selects the rows that SQL selects', () => {
    fc.assert(
      fc.property(cases, (given) => {
        for (const row of given.rows) {
          const selected = matches(given, row);
          if (selected === null) continue;
          let expected: boolean | null;
          try {
            expected = truth(given.expression, given, row);
          } catch {
            continue;
          }
          expect(selected).toBe(expected === true);
        }
        expect(JSON.stringify(rewriteNot(given.expression), bigintText)).not.toContain('"kind":"not"');
      }),
      { numRuns: 1000 },
    );
  });
});

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

const one = (type: string): Schema => ({
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'x', required: false, type }],
});

function bounded(type: string, lower: PrimitiveValue, upper: PrimitiveValue, nans = 0): DataFile {
  const column = { fieldId: 1, type, valueCount: 5, nullCount: 0, nanCount: nans, lower, upper };
  return {
    content: 'data',
    filePath: 'f',
    fileFormat: 'PARQUET',
    partition: [],
    recordCount: 5,
    fileSizeInBytes: 1,
    ...buildMetrics([column]),
  };
}

test('a literal between two values of the type, or outside it, prunes as SQL compares it', () => {
  const file = bounded('int', 2, 4);
  const schema = one('int');
  const may = (kind: 'eq' | 'lt' | 'gt', text: string): boolean =>
    fileMayMatch(bind({ kind, column: 'x', literal: { sql: 'number', text } }, schema), schema, file);
  expect([may('lt', '2.5'), may('lt', '1.5'), may('gt', '3.5'), may('gt', '4.5'), may('eq', '2.5')]).toEqual([
    true,
    false,
    true,
    false,
    false,
  ]);
  expect([may('lt', '99999999999'), may('gt', '99999999999')]).toEqual([true, false]);
});

test('zeros are equal whatever their sign, and NaN rows are no proof', () => {
  const schema = one('double');
  const zero = bind({ kind: 'eq', column: 'x', literal: 0 }, schema);
  expect(fileMayMatch(zero, schema, bounded('double', -0, -0))).toBe(true);
  const above = bind({ kind: 'gt', column: 'x', literal: 0 }, schema);
  expect(fileMustMatch(above, schema, bounded('double', 1, 2))).toBe(true);
  expect(fileMustMatch(above, schema, bounded('double', 1, 2, 1))).toBe(false);
});

test('a day that old writers rounded up before 1970 is not left out', () => {
  const schema = one('timestamp');
  const spec = { 'spec-id': 0, fields: [{ 'source-id': 1, 'field-id': 1000, name: 'd', transform: 'day' }] };
  const bound = bind(
    { kind: 'lt', column: 'x', literal: { sql: 'timestamp', text: '1969-12-31 12:00:00' } },
    schema,
  );
  expect(partitionMayMatch(bound, schema, spec, [0])).toBe(true);
  expect(partitionMayMatch(bound, schema, spec, [1])).toBe(false);
});

test('an hour that does not fit 32 bits proves nothing', () => {
  const schema = one('timestamp');
  const spec = { 'spec-id': 0, fields: [{ 'source-id': 1, 'field-id': 1000, name: 'h', transform: 'hour' }] };
  const last = 2n ** 63n - 1n;
  const tuple = [applyTransform({ kind: 'hour' }, 'timestamp', last)];
  const past = bind({ kind: 'lt', column: 'x', literal: 0n }, schema);
  expect(partitionMustMatch(past, schema, spec, tuple)).toBe(false);
  const same = bind({ kind: 'eq', column: 'x', literal: last }, schema);
  expect(partitionMayMatch(same, schema, spec, tuple)).toBe(true);
});
