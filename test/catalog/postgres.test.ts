import { describe } from 'vitest';
import { catalogContract } from '../contract/catalog.ts';
import { fenceGuardContract } from '../contract/fence-guard.ts';
import { movedPathsContract } from '../contract/moved-paths.ts';
import { relocationContract } from '../contract/relocation.ts';
import { postgresOfFile } from '../postgres/catalog.ts';
import { embedded, served } from './lake.ts';

const postgres = postgresOfFile();

describe.skipIf(postgres.missing !== null)('PostgreSQL', () => {
  catalogContract('PostgreSQL, by inject', () => embedded(undefined, postgres.place()));
  catalogContract('PostgreSQL, by socket', () => served(undefined, postgres.place()));
  relocationContract('PostgreSQL', (clock) => embedded(clock, postgres.place()));
  movedPathsContract('PostgreSQL', (clock) => embedded(clock, postgres.place()));
  fenceGuardContract('PostgreSQL', (clock) => embedded(clock, postgres.place()));
});
