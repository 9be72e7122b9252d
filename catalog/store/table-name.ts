/** A namespace's levels, outermost first. */
export type Levels = readonly string[];

/** Which table: its namespace and name. */
export interface TableName {
  readonly namespace: Levels;
  readonly name: string;
}

/** What parts a table's name from the name of one of its branches. */
const BRANCH_MARK = '.branch_';

/** A table as one of its branches has it. */
export interface TableBranch {
  readonly table: TableName;
  readonly branch: string;
}

/** `t.branch_audit` stands for the branch `audit` of the table `t`; null for every other name. */
export function branchNamed({ namespace, name }: TableName): TableBranch | null {
  const at = name.indexOf(BRANCH_MARK);
  const branch = name.slice(at + BRANCH_MARK.length);
  return at <= 0 || branch === '' ? null : { table: { namespace, name: name.slice(0, at) }, branch };
}
