import { catalogContract } from '../contract/catalog.ts';
import { fenceGuardContract } from '../contract/fence-guard.ts';
import { movedPathsContract } from '../contract/moved-paths.ts';
import { relocationContract } from '../contract/relocation.ts';
import { embedded, served } from './lake.ts';

catalogContract('SQLite, by inject', () => embedded());
catalogContract('SQLite, by socket', () => served());
relocationContract('SQLite', embedded);
movedPathsContract('SQLite', embedded);
fenceGuardContract('SQLite', embedded);
