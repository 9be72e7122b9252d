import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/iceberg/json.ts';
import { checkRequirements, type TableRequirement } from '../../src/iceberg/requirements.ts';
import type { TableMetadata } from '../../src/iceberg/table-metadata.ts';
import { tableWithHistory, UUID } from './metadata-samples.ts';

const base = tableWithHistory(2);

const holding: TableRequirement[] = [
  { type: 'assert-table-uuid', uuid: UUID.toUpperCase() },
  { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 2n },
  { type: 'assert-ref-snapshot-id', ref: 'run_1', 'snapshot-id': null },
  { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 2 },
  { type: 'assert-current-schema-id', 'current-schema-id': 0 },
  { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 1000 },
  { type: 'assert-default-spec-id', 'default-spec-id': 0 },
  { type: 'assert-default-sort-order-id', 'default-sort-order-id': 0 },
];

const failing: [TableRequirement, string][] = [
  [{ type: 'assert-create' }, 'already exists'],
  [{ type: 'assert-table-uuid', uuid: UUID.replace('9', '8') }, UUID],
  [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 1n }, 'at snapshot 2, expected 1'],
  [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null }, 'exists already'],
  [{ type: 'assert-ref-snapshot-id', ref: 'run_1', 'snapshot-id': 2n }, 'there is no ref run_1'],
  [{ type: 'assert-ref-snapshot-id', ref: 'constructor', 'snapshot-id': 2n }, 'there is no ref constructor'],
  [{ type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 1 }, 'is 2, expected 1'],
  [{ type: 'assert-current-schema-id', 'current-schema-id': 1 }, 'is 0, expected 1'],
  [{ type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 999 }, 'is 1000, expected 999'],
  [{ type: 'assert-default-spec-id', 'default-spec-id': 1 }, 'is 0, expected 1'],
  [{ type: 'assert-default-sort-order-id', 'default-sort-order-id': 1 }, 'is 0, expected 1'],
];

function conflictOf(table: TableMetadata | null, ...requirements: TableRequirement[]): unknown {
  try {
    checkRequirements(table, requirements);
    return null;
  } catch (error) {
    return error;
  }
}

describe('requirements', () => {
  it('that hold let the commit pass', () => {
    expect(() => checkRequirements(base, holding)).not.toThrow();
    expect(() => checkRequirements(null, [{ type: 'assert-create' }])).not.toThrow();
  });

  it.each(failing)('%o failing is a conflict that says what was found', (requirement, found) => {
    const error = conflictOf(base, ...holding, requirement);
    expect(error).toMatchObject({ kind: 'conflict', message: expect.stringContaining(requirement.type) });
    expect(error).toMatchObject({ message: expect.stringContaining(found) });
  });

  it('other than assert-create and an absent ref fail for a table that is gone', () => {
    const failures = holding.map((requirement) => conflictOf(null, requirement));
    expect(failures.filter((failure) => failure === null)).toHaveLength(1);
  });

  it('of an unknown type are refused even where an earlier one fails', () => {
    const unknown = parseJson(
      '[{"type": "assert-create"}, {"type": "assert-weather"}]',
    ) as TableRequirement[];
    expect(conflictOf(base, ...unknown)).toMatchObject({ kind: 'invalid-argument' });
  });
});
