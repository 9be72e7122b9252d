import type { FastifyRequest } from 'fastify';
import { isKind, LakeError } from '../../src/errors.ts';
import { allow, needsOf } from '../auth/access.ts';
import { COMMIT_NEEDS, needsOfCommit } from '../auth/commit-needs.ts';
import { sendLoaded } from '../http/loaded.ts';
import { bodyOf, branchOf } from '../http/request.ts';
import { commitShape } from '../http/update-schemas.ts';
import { commitTables } from '../service/commit.ts';
import { currentFile } from '../service/load-table.ts';
import type { MetadataFile } from '../service/metadata-files.ts';
import { branchChange, branchFile, requireBranch } from '../service/table-branch.ts';
import type { TableChange } from '../service/table-change.ts';
import type { TableName } from '../store/catalog-store.ts';
import type { Route } from './route.ts';

const access = needsOf(COMMIT_NEEDS, (request) => needsOfCommit(changeOf(request)));

/** POST /v1/namespaces/{namespace}/tables/{table}: commits updates, or a staged create; by a branch's name, snapshots of the branch. */
export const commitTable: Route = (app, context) => {
  app.post('/v1/namespaces/:namespace/tables/:table', allow(access), async (request, reply) => {
    const { table, branch } = branchOf(request);
    if (branch !== null) requireBranch((await currentFile(context, table)).metadata, table, branch);
    const [file] = await commitTables(context, [changeOf(request)]);
    if (file === undefined) throw new LakeError('internal', 'a commit of one table gave no metadata');
    return sendLoaded(reply, branch === null ? file : committedBranch(file, table, branch), { branch });
  });
};

/** A commit right behind this one may have dropped the branch, for it was published: whoever made the snapshot must not take it for refused. */
function committedBranch(file: MetadataFile, table: TableName, branch: string): MetadataFile {
  try {
    return branchFile(file, table, branch);
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
    throw new LakeError('unknown-outcome', `The commit was applied, and the branch ${branch} is gone since`, {
      hint: 'Delete nothing that it names: the snapshot may be part of another branch by now.',
      cause: error,
    });
  }
}

function changeOf(request: FastifyRequest): TableChange {
  const { table, branch } = branchOf(request);
  const { requirements, updates } = bodyOf(request, commitShape);
  return branch === null
    ? { table, requirements, updates }
    : branchChange(table, branch, { requirements, updates });
}
