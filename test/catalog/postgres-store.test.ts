import { describe } from 'vitest';
import { catalogStoreContract } from '../contract/catalog-store.ts';
import { relocationStoreContract } from '../contract/relocation-store.ts';
import { sqlDatabaseContract } from '../contract/sql-database.ts';
import { postgresOfFile } from '../postgres/catalog.ts';

const postgres = postgresOfFile();

describe.skipIf(postgres.missing !== null)('PostgreSQL', () => {
  catalogStoreContract('PostgreSQL', () => postgres.place());
  relocationStoreContract('PostgreSQL', () => postgres.place());
  sqlDatabaseContract('PostgreSQL', () => postgres.place());
});
