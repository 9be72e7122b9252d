import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isDatabaseUrl, type LakeConfig } from '../../../config.ts';
import { LakeError } from '../../../errors.ts';
import type { Session } from '../../session.ts';

/** A project that keeps its catalog itself, and where. */
export interface OwnCatalog {
  readonly config: LakeConfig;
  /** Path of the SQLite file, or address of the PostgreSQL database. */
  readonly database: string;
  /** Location below which new tables are born. */
  readonly warehouse: string;
  readonly tiers: readonly { readonly name: string; readonly location: string }[];
}

/** The project's own catalog, with the folder of its file made. Errors: `usage` for a project that uses another one's. */
export async function ownCatalog(session: Session, wanted: string): Promise<OwnCatalog> {
  const config = await session.config();
  if (config.catalog.kind !== 'embedded') {
    throw new LakeError(
      'usage',
      `This project uses the catalog at ${config.catalog.uri}: there is none of its own to ${wanted}.`,
      {
        where: config.file,
        hint: `Run it where that catalog is served, or write \`catalog: { embedded: ./.lake/catalog.db }\` to keep one in the project.`,
      },
    );
  }
  const { database } = config.catalog;
  if (!isDatabaseUrl(database)) await mkdir(dirname(database), { recursive: true });
  const tiers = config.tiers.map(({ name, location }) => ({ name, location }));
  return { config, database, warehouse: tiers[0]?.location ?? config.warehouse, tiers };
}
