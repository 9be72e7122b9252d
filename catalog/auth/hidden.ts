import { LakeError } from '../../src/errors.ts';
import { noSuchNamespace, noSuchTable, noSuchView } from '../store/not-there.ts';
import type { Securable } from './access.ts';

/** What the catalog answers for something that does not exist: the same for something that the caller may not know of. */
export function hiddenError(on: Exclude<Securable, { kind: 'catalog' }>): LakeError {
  switch (on.kind) {
    case 'namespace':
      return noSuchNamespace(on.levels);
    case 'table':
      return noSuchTable(on.name);
    case 'view':
      return noSuchView(on.name);
    case 'table-uuid':
      return new LakeError('not-found', `There is no table ${on.uuid}`);
    case 'relocation':
      return new LakeError('not-found', `There is no relocation ${on.id}`);
    case 'lease':
      return new LakeError('not-found', `There is no lease ${on.id}`);
    case 'dropped-table':
      return new LakeError('not-found', `There is no dropped table ${on.id}`, {
        hint: 'GET /lake/v1/dropped-tables lists them.',
      });
  }
}
