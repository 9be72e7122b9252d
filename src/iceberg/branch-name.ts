/** What parts a table's name from the name of one of its branches, as in Iceberg's SQL for Spark. */
const BRANCH_MARK = '.branch_';

interface Named {
  readonly namespace: readonly string[];
  readonly name: string;
}

/** A table as one of its branches has it. */
interface TableBranch {
  readonly table: Named;
  readonly branch: string;
}

/** The name by which the catalog serves a branch as a table: `t.branch_audit` for the branch `audit` of `t`. */
export function branchIdentifier({ namespace, name }: Named, branch: string): Named {
  return { namespace, name: `${name}${BRANCH_MARK}${branch}` };
}

/** What `branchIdentifier` made a name of; null for every other name. */
export function branchNamed({ namespace, name }: Named): TableBranch | null {
  const at = name.indexOf(BRANCH_MARK);
  const branch = name.slice(at + BRANCH_MARK.length);
  return at <= 0 || branch === '' ? null : { table: { namespace, name: name.slice(0, at) }, branch };
}
