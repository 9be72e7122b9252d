import { join } from 'node:path';
import { catalogStoreContract } from '../contract/catalog-store.ts';
import { relocationStoreContract } from '../contract/relocation-store.ts';
import { sqlDatabaseContract } from '../contract/sql-database.ts';

catalogStoreContract('SQLite', (folder) => join(folder, 'catalog.db'));
relocationStoreContract('SQLite', (folder) => join(folder, 'catalog.db'));
sqlDatabaseContract('SQLite', (folder) => join(folder, 'catalog.db'));
