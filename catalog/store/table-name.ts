/** A namespace's levels, outermost first. */
export type Levels = readonly string[];

/** Which table: its namespace and name. */
export interface TableName {
  readonly namespace: Levels;
  readonly name: string;
}
