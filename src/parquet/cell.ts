import type { Value } from '../iceberg/types.ts';

/**
 * A value of any Iceberg type in memory: primitive ones as `Value`; a struct as its fields' cells in the schema's order, a list as its elements, a map as
 * `[key, value]` pairs.
 */
export type Cell = Value | readonly Cell[];

/** A row: the cells of a schema's top-level columns, in its order. */
export type Cells = readonly Cell[];
