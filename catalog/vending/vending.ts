import { createHash } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Clock } from '../../src/clock.ts';
import { isKind, LakeError } from '../../src/errors.ts';
import type { S3Settings } from '../../src/storage/s3-settings.ts';
import type { TablePlaces } from '../service/table-places.ts';
import type { TableName } from '../store/catalog-store.ts';
import { type AssumeRole, assumeRole, type SessionCredentials } from './assume-role.ts';
import {
  type ClientProperties,
  credentialProperties,
  serverProperties,
  signerProperties,
} from './client-properties.ts';
import { CredentialCache } from './credential-cache.ts';
import { type NamedTable, type OwnFolder, ownFolders, type TierPrefix } from './own-folders.ts';
import { S3Servers, type StoredAt, serverKey } from './s3-servers.ts';
import { MAX_POLICY_CHARACTERS, type ObjectRight, sessionPolicy } from './session-policy.ts';
import type { SigningKeys } from './sign-request.ts';

export interface VendingOptions {
  readonly servers: readonly StoredAt[];
  /** How long credentials live, in seconds; AWS takes 900 to 43,200, and 3,600 at most where the catalog's own keys are of a role. */
  readonly durationSeconds: number;
  readonly signs: boolean;
  /** For tests. */
  readonly assumeRole?: AssumeRole;
}

/** How a client asks to get at a table's objects (`X-Iceberg-Access-Delegation`). */
export type Delegation = 'credentials' | 'signing';

/** What a client is given to get at a table's objects (REST spec: `LoadTableResult.config`, `storage-credentials`). */
export interface VendedAccess {
  readonly config: ClientProperties;
  readonly storageCredentials: readonly { readonly prefix: string; readonly config: ClientProperties }[];
}

interface VendingParts {
  readonly clock: Clock;
  readonly places: TablePlaces;
  readonly tiers: readonly TierPrefix[];
}

const NOTHING: VendingOptions = { servers: [], durationSeconds: 3600, signs: false };

/**
 * Lets clients get at the objects of single tables without the lake's own keys: by credentials of a session that ends (STS), or by signatures of single
 * requests. The lake's keys never leave the catalog.
 */
export class Vending {
  readonly servers: S3Servers;
  readonly givesCredentials: boolean;
  readonly signs: boolean;
  readonly #parts: VendingParts;
  readonly #durationSeconds: number;
  readonly #assumeRole: AssumeRole;
  readonly #cache: CredentialCache;
  readonly #clients = new Map<string, S3Client>();
  readonly #checked = new Set<string>();

  constructor(parts: VendingParts, options: VendingOptions = NOTHING) {
    this.servers = new S3Servers(options.servers);
    this.givesCredentials = this.servers.all.some(({ sts }) => sts !== undefined);
    this.signs = options.signs && this.servers.all.length > 0;
    this.#parts = parts;
    this.#durationSeconds = options.durationSeconds;
    this.#assumeRole = options.assumeRole ?? assumeRole;
    this.#cache = new CredentialCache(parts.clock);
  }

  /** What a client that asks with this header is given; null for nothing. The header lists all that the client can do. */
  delegationFor(header: string | readonly string[] | undefined): Delegation | null {
    const asked = [header ?? []]
      .flat()
      .join(',')
      .split(',')
      .map((one) => one.trim().toLowerCase());
    if (this.givesCredentials && asked.includes('vended-credentials')) return 'credentials';
    return this.signs && asked.includes('remote-signing') ? 'signing' : null;
  }

  /**
   * What a client is given. Null for a table that is not on S3.
   * Errors: `invalid-argument` (see `ownFolders`, `sessionPolicy`), `unavailable` if STS does not answer.
   */
  async accessTo(
    named: NamedTable,
    right: ObjectRight,
    delegation: Delegation,
  ): Promise<VendedAccess | null> {
    const settings = this.servers.of(named.metadata.location);
    if (settings === null) return null;
    if (delegation === 'signing') {
      await this.signingKeys(settings, named, await this.foldersOf(named), right);
      const config = { ...serverProperties(settings), ...signerProperties(pathOf(named.table, 'sign')) };
      return { config, storageCredentials: [] };
    }
    const byServer = await this.#credentials(named, right);
    const storageCredentials = byServer.flatMap((one) =>
      one.folders.map(({ location }) => ({ prefix: location, config: propertiesOf(one, named.table) })),
    );
    const own = byServer.find((one) => serverKey(one.settings) === serverKey(settings));
    return { config: own === undefined ? {} : propertiesOf(own, named.table), storageCredentials };
  }

  /** The folders that are a table's own; see `ownFolders`. */
  async foldersOf(named: NamedTable): Promise<readonly OwnFolder[]> {
    return ownFolders(this.#parts.places, this.#parts.tiers, named);
  }

  /** Credentials for some of a table's folders, all of one server. */
  async sessionFor(
    settings: S3Settings,
    named: NamedTable,
    folders: readonly OwnFolder[],
    right: ObjectRight,
  ): Promise<SessionCredentials> {
    const policy = sessionPolicy(folders, right, settings.endpoint === undefined);
    if (policy.length > MAX_POLICY_CHARACTERS) throw tooLarge(named);
    const uuid = named.metadata['table-uuid'];
    const key = createHash('sha256')
      .update(`${serverKey(settings)}\n${policy}`)
      .digest('hex');
    return this.#cache.get(key, () =>
      this.#assumeRole(settings, {
        policy,
        sessionName: `lake-${uuid}`.replaceAll(/[^\w+=,.@-]/g, '_').slice(0, 64),
        durationSeconds: this.#durationSeconds,
      }),
    );
  }

  /** Keys that sign requests to a table's folders: those of a session where the server gives such, else the lake's own. */
  async signingKeys(
    settings: S3Settings,
    named: NamedTable,
    folders: readonly OwnFolder[],
    right: ObjectRight,
  ): Promise<SigningKeys> {
    if (settings.sts !== undefined) return this.sessionFor(settings, named, folders, right);
    const keys = await this.#ownKeys(settings);
    await this.#requireSignedHeaders(settings, keys, folders);
    return keys;
  }

  /** Once a server: see `requireSignedHeaders`. */
  async #requireSignedHeaders(
    settings: S3Settings,
    keys: SigningKeys,
    [folder]: readonly OwnFolder[],
  ): Promise<void> {
    const key = serverKey(settings);
    if (folder === undefined || this.#checked.has(key)) return;
    const { requireSignedHeaders } = await import('./unsigned-headers.ts');
    await requireSignedHeaders(settings, keys, folder, this.#parts.clock.now());
    this.#checked.add(key);
  }

  /** The lake's own keys of a server: to sign with, and never to be handed out. */
  async #ownKeys(settings: S3Settings): Promise<SigningKeys> {
    const key = serverKey(settings);
    // Loaded where somebody signs: the SDK takes long to load.
    const { DEFAULT_LIMITS, s3Client } = await import('../../src/storage/s3-client.ts');
    const client = this.#clients.get(key) ?? s3Client(settings, DEFAULT_LIMITS);
    this.#clients.set(key, client);
    const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials();
    return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  }

  async #credentials(named: NamedTable, right: ObjectRight): Promise<readonly Session[]> {
    const folders = await this.foldersOf(named);
    const groups = Map.groupBy(folders, ({ location }) => serverKey(this.servers.of(location) ?? {}));
    const sessions: Session[] = [];
    for (const own of groups.values()) {
      const settings = this.servers.of(own[0]?.location ?? '');
      if (settings?.sts === undefined) continue;
      sessions.push(...(await this.#sessions(settings, named, own, right)));
    }
    return sessions;
  }

  /** One for all folders, as some clients take one triple of keys a table; one each where the policy would be too large. */
  async #sessions(
    settings: S3Settings,
    named: NamedTable,
    folders: readonly OwnFolder[],
    right: ObjectRight,
  ): Promise<readonly Session[]> {
    try {
      return [{ settings, folders, made: await this.sessionFor(settings, named, folders, right) }];
    } catch (error) {
      if (!isKind(error, 'invalid-argument') || error.context['tooLarge'] !== true || folders.length === 1) {
        throw error;
      }
      const each = folders.map(async (folder) => ({
        settings,
        folders: [folder],
        made: await this.sessionFor(settings, named, [folder], right),
      }));
      return Promise.all(each);
    }
  }
}

/** Credentials, and the folders that they open. */
interface Session {
  readonly settings: S3Settings;
  readonly folders: readonly OwnFolder[];
  readonly made: SessionCredentials;
}

function propertiesOf({ settings, made }: Session, table: TableName): ClientProperties {
  return {
    ...serverProperties(settings),
    ...credentialProperties(made),
    'client.refresh-credentials-endpoint': pathOf(table, 'credentials'),
  };
}

/** Of a table's endpoint, below the catalog's address. */
function pathOf({ namespace, name }: TableName, endpoint: string): string {
  return `v1/namespaces/${encodeURIComponent(namespace.join('\u001f'))}/tables/${encodeURIComponent(name)}/${endpoint}`;
}

function tooLarge({ metadata }: NamedTable): LakeError {
  return new LakeError(
    'invalid-argument',
    `The folders of ${metadata.location} are too long for a session policy`,
    {
      where: metadata.location,
      hint: 'Shorter tier and table locations help; remote signing has no such limit.',
      context: { tooLarge: true, type: 'BadRequestException' },
    },
  );
}
