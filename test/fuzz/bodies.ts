import type { Dice } from './dice.ts';
import { NAMES } from './garbage.ts';
import { aLocation } from './names.ts';
import { type Json, keyOf, type Name, type World } from './world.ts';

export const PATH_PROPERTIES = [
  'write.data.path',
  'write.metadata.path',
  'write.object-storage.path',
  'write.folder-storage.path',
  'location',
];

export function someProperties(world: World): Json {
  const { dice } = world;
  const made: [string, string][] = dice.some(3, () =>
    dice.chance(0.1)
      ? [dice.pick(PATH_PROPERTIES), aLocation(world)]
      : [
          dice.pick([
            'a',
            'owner',
            'format-version',
            'gc.enabled',
            'history.expire.min-snapshots-to-keep',
            ...NAMES.slice(0, 5),
          ]),
          dice.pick(['1', 'x', 'true', 'false', '-1', '99999999999', '']),
        ],
  );
  return Object.fromEntries(made);
}

export const TYPES = [
  'int',
  'long',
  'string',
  'date',
  'timestamptz',
  'double',
  'boolean',
  'uuid',
  'binary',
  'decimal(9,2)',
  'fixed[4]',
];
export const ODD_TYPES = [
  'decimal(99,2)',
  'fixed[0]',
  'timestamp_ns',
  'variant',
  'nothing',
  'unknown',
  'decimal(9,-2)',
];

export function aType(dice: Dice, nextId: () => number, depth = 0): Json {
  if (depth > 2 || dice.chance(0.8)) return dice.pick(dice.chance(0.97) ? TYPES : ODD_TYPES);
  if (dice.chance(0.5))
    return {
      type: 'list',
      'element-id': nextId(),
      'element-required': false,
      element: aType(dice, nextId, depth + 1),
    };
  return { type: 'struct', fields: dice.some(3, () => aField(dice, nextId, depth + 1)) };
}

export function aField(dice: Dice, nextId: () => number, depth: number): Json {
  const id = nextId();
  return {
    id,
    name: dice.chance(0.9) ? `c${id}` : dice.pick(NAMES),
    required: dice.chance(0.2),
    type: aType(dice, nextId, depth),
  };
}

export function aSchema(dice: Dice): Json {
  let id = 1;
  const fields = [
    { id: 1, name: 'id', required: false, type: 'long' },
    ...dice.some(4, () => aField(dice, () => ++id, 0)),
  ];
  return {
    type: 'struct',
    'schema-id': dice.int(3),
    fields,
    ...(dice.chance(0.05) ? { 'identifier-field-ids': [dice.int(4)] } : {}),
  };
}

export const TRANSFORMS = [
  'identity',
  'identity',
  'bucket[4]',
  'bucket[4]',
  'truncate[2]',
  'void',
  'day',
  'year',
];
export const ODD_TRANSFORMS = ['bucket[0]', 'moon', 'bucket[99999999999]', ''];

export const aTransform = (dice: Dice): string => dice.pick(dice.chance(0.95) ? TRANSFORMS : ODD_TRANSFORMS);

export function aSpec(dice: Dice): Json {
  const fields = dice.some(2, () => ({
    'source-id': 1 + dice.int(4),
    ...(dice.chance(0.7) ? { 'field-id': 1000 + dice.int(4) } : {}),
    name: dice.pick(['p', 'q', 'id', 'c2']),
    transform: aTransform(dice),
  }));
  return { 'spec-id': dice.int(4), fields };
}

export function anOrder(dice: Dice): Json {
  const fields = dice.some(2, () => ({
    'source-id': 1 + dice.int(3),
    transform: aTransform(dice),
    direction: dice.pick(['asc', 'desc', 'up']),
    'null-order': dice.pick(['nulls-first', 'nulls-last']),
  }));
  return { 'order-id': dice.int(3), fields };
}

export function aSnapshot(world: World, metadata: Json): Json {
  const { dice } = world;
  const id = dice.chance(0.9)
    ? BigInt(dice.int(2 ** 31)) * 7919n
    : dice.pick([0n, -1n, 2n ** 63n - 1n, 2n ** 63n, 1.5]);
  const parent = metadata?.['current-snapshot-id'];
  return {
    'snapshot-id': id,
    ...(parent === undefined || dice.chance(0.1) ? {} : { 'parent-snapshot-id': parent }),
    'sequence-number': (metadata?.['last-sequence-number'] ?? 0) + dice.pick([1, 1, 1, 0, 2, -1]),
    'timestamp-ms': dice.pick([metadata?.['last-updated-ms'] ?? 0, 0, 2 ** 53, Date.UTC(2030, 1)]),
    'manifest-list': dice.chance(0.4) ? dice.pick(world.metadataFiles) : aLocation(world),
    summary: { operation: dice.pick(['append', 'replace', 'overwrite', 'delete', 'dance']) },
    'schema-id': dice.pick([0, 0, 1, 77]),
  };
}

export function someRefs(metadata: Json): bigint[] {
  return (metadata?.snapshots ?? []).map((one: Json) => one['snapshot-id']);
}

export function anUpdate(world: World, metadata: Json): Json[] {
  const { dice } = world;
  const ids = someRefs(metadata);
  const id = ids.length > 0 && dice.chance(0.8) ? dice.pick(ids) : BigInt(dice.int(99));
  const ref = dice.pick(['main', 'b1', 'b2', 'tag', ...NAMES.slice(0, 6)]);
  const snapshot = aSnapshot(world, metadata);
  return dice.weighted<() => Json[]>([
    [5, () => [{ action: 'set-properties', updates: someProperties(world) }]],
    [
      1,
      () => [
        {
          action: 'remove-properties',
          removals: dice.some(3, () => dice.pick(['a', 'owner', ...PATH_PROPERTIES])),
        },
      ],
    ],
    [2, () => [{ action: 'set-location', location: aLocation(world) }]],
    [
      2,
      () => [
        { action: 'add-schema', schema: aSchema(dice), 'last-column-id': dice.int(9) },
        { action: 'set-current-schema', 'schema-id': -1 },
      ],
    ],
    [1, () => [{ action: 'set-current-schema', 'schema-id': dice.int(5) - 1 }]],
    [
      2,
      () => [
        { action: 'add-spec', spec: aSpec(dice) },
        { action: 'set-default-spec', 'spec-id': dice.int(4) - 1 },
      ],
    ],
    [
      1,
      () => [
        { action: 'add-sort-order', 'sort-order': anOrder(dice) },
        { action: 'set-default-sort-order', 'sort-order-id': dice.int(3) - 1 },
      ],
    ],
    [
      4,
      () => [
        { action: 'add-snapshot', snapshot },
        {
          action: 'set-snapshot-ref',
          'ref-name': 'main',
          type: 'branch',
          'snapshot-id': snapshot['snapshot-id'],
        },
      ],
    ],
    [
      1,
      () => [
        {
          action: 'set-snapshot-ref',
          'ref-name': ref,
          type: dice.pick(['branch', 'tag']),
          'snapshot-id': id,
          'max-ref-age-ms': dice.pick([1, 0, -1, 2 ** 53]),
        },
      ],
    ],
    [1, () => [{ action: 'remove-snapshot-ref', 'ref-name': ref }]],
    [1, () => [{ action: 'remove-snapshots', 'snapshot-ids': dice.chance(0.5) ? [id] : ids }]],
    [1, () => [{ action: 'upgrade-format-version', 'format-version': dice.int(6) }]],
    [1, () => [{ action: 'assign-uuid', uuid: dice.chance(0.5) ? metadata?.['table-uuid'] : dice.uuid() }]],
    [
      2,
      () => [
        {
          action: 'set-statistics',
          statistics: {
            'snapshot-id': id,
            'statistics-path': aLocation(world),
            'file-size-in-bytes': 1,
            'file-footer-size-in-bytes': 1,
            'blob-metadata': [],
          },
        },
      ],
    ],
    [
      2,
      () => [
        {
          action: 'set-partition-statistics',
          'partition-statistics': {
            'snapshot-id': id,
            'statistics-path': aLocation(world),
            'file-size-in-bytes': 1,
          },
        },
      ],
    ],
    [1, () => [{ action: 'remove-statistics', 'snapshot-id': id }]],
    [1, () => [{ action: 'remove-schemas', 'schema-ids': [dice.int(4)] }]],
    [1, () => [{ action: 'remove-partition-specs', 'spec-ids': [dice.int(4)] }]],
    [
      1,
      () => [
        {
          action: 'add-encryption-key',
          'encryption-key': { 'key-id': 'k', 'encrypted-key-metadata': 'AA==' },
        },
      ],
    ],
    [1, () => [{ action: dice.pick(NAMES) }]],
  ])();
}

export function aRequirement(dice: Dice, metadata: Json): Json {
  return dice.pick<Json>([
    { type: 'assert-table-uuid', uuid: dice.chance(0.9) ? metadata?.['table-uuid'] : dice.uuid() },
    {
      type: 'assert-ref-snapshot-id',
      ref: 'main',
      'snapshot-id': dice.chance(0.8) ? (metadata?.['current-snapshot-id'] ?? null) : 1n,
    },
    { type: 'assert-current-schema-id', 'current-schema-id': metadata?.['current-schema-id'] ?? 0 },
    { type: 'assert-default-spec-id', 'default-spec-id': metadata?.['default-spec-id'] ?? 0 },
    { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': metadata?.['last-column-id'] ?? 1 },
    ...(dice.chance(0.1) ? [{ type: 'assert-create' }, { type: dice.pick(NAMES) }] : []),
  ]);
}

export function aCommit(world: World, table: Name): Json {
  const metadata = world.tables.get(keyOf(table))?.metadata;
  const { dice } = world;
  return {
    identifier: table,
    requirements: dice.some(2, () => aRequirement(dice, metadata)),
    updates: Array.from({ length: 1 + dice.int(3) }, () => anUpdate(world, metadata)).flat(),
  };
}

export function aFilter(dice: Dice, depth = 0): Json {
  const op = dice.pick(['eq', 'lt', 'gt-eq', 'not-eq', 'starts-with']);
  if (depth > 3 || dice.chance(0.6)) {
    return dice.pick<Json>([
      {
        type: op,
        term: dice.pick(['id', 'c2', 'ID', 'nope']),
        value: dice.pick<unknown>([1, 2n ** 70n, 'a', true, '2020-01-01', 0.5]),
      },
      {
        type: op,
        left: { type: 'reference', name: 'id' },
        right: { type: 'literal', value: 3, 'data-type': 'long' },
      },
      { type: 'in', term: 'id', values: [1, 2, 3] },
      { type: 'is-null', child: { type: 'reference', id: 1 } },
      { type: 'eq', term: { type: 'transform', transform: 'bucket[4]', term: 'id' }, value: 1 },
      {
        type: op,
        left: { type: 'apply', function: 'bucket', arguments: [4, { type: 'reference', id: 1 }] },
        right: 2,
      },
      true,
    ]);
  }
  if (dice.chance(0.3)) return { type: 'not', child: aFilter(dice, depth + 1) };
  return { type: dice.pick(['and', 'or']), left: aFilter(dice, depth + 1), right: aFilter(dice, depth + 1) };
}

export function aPlan(world: World, table: Name): Json {
  const { dice } = world;
  const ids = someRefs(world.tables.get(keyOf(table))?.metadata);
  const id = ids.length > 0 ? dice.pick(ids) : 1n;
  return {
    ...(dice.chance(0.3) ? { 'snapshot-id': id } : {}),
    ...(dice.chance(0.2) ? { 'start-snapshot-id': id, 'end-snapshot-id': ids.at(-1) ?? 1n } : {}),
    ...(dice.chance(0.6) ? { filter: aFilter(dice) } : {}),
    ...(dice.chance(0.3) ? { select: ['id'], 'stats-fields': ['id'] } : {}),
    ...(dice.chance(0.2)
      ? { 'case-sensitive': false, 'use-snapshot-schema': true, 'min-rows-requested': 10 }
      : {}),
  };
}

export function aViewVersion(world: World, namespace: readonly string[]): Json {
  const { dice } = world;
  return {
    'version-id': dice.int(4),
    'schema-id': dice.int(3) - 1,
    'timestamp-ms': dice.pick([1, 2 ** 53, Date.UTC(2026, 1)]),
    summary: { 'engine-name': 'fuzz' },
    representations: [{ type: 'sql', sql: 'SELECT 1', dialect: dice.pick(['spark', 'trino', 'spark']) }],
    'default-namespace': namespace,
  };
}
