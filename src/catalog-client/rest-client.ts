import { LakeError } from '../errors.ts';
import { parseJson, stringifyJson } from '../iceberg/json.ts';
import { tableMetadataOf } from '../iceberg/metadata-json.ts';
import type {
  Catalog,
  CreateTableRequest,
  LoadedTable,
  Namespace,
  TableCommit,
  TableIdentifier,
} from './catalog.ts';
import { Credential } from './credential.ts';
import { field, fromFailure, fromResponse } from './response-error.ts';

type Method = 'GET' | 'HEAD' | 'POST' | 'DELETE';

export interface RestCatalogOptions {
  /** Base address, without `/v1`. */
  readonly uri: string;
  readonly warehouse?: string;
  /** Bearer token. */
  readonly token?: string;
  /** `client id:secret`, for which the catalog gives tokens. */
  readonly credential?: string;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Milliseconds until a request counts as unanswered. */
  readonly timeoutMs?: number;
  /** Run by `close`. */
  readonly onClose?: () => Promise<void>;
}

const TIMEOUT_MS = 120_000;
/** Between the levels of a namespace in a path, as the path has it. */
const UNIT_SEPARATOR = '%1F';

/** What the catalog's config says of its paths (REST spec: `getConfig`). */
interface Address {
  /** `<uri>/v1[/<prefix>]` */
  readonly base: string;
  /** Percent-encoded. */
  readonly separator: string;
}

/** An Iceberg REST catalog reached over HTTP. See `Catalog` for the promises and errors. */
export class RestCatalog implements Catalog {
  readonly #options: RestCatalogOptions;
  readonly #uri: string;
  readonly #credential: Credential | null;
  #address: Promise<Address> | null = null;

  constructor(options: RestCatalogOptions) {
    this.#options = options;
    this.#uri = options.uri.replace(/\/+$/, '').replace(/\/v1$/, '');
    const { credential, fetch: send = fetch, timeoutMs = TIMEOUT_MS } = options;
    this.#credential =
      credential === undefined
        ? null
        : new Credential({
            uri: this.#uri,
            credential,
            send,
            timeoutMs,
            elapsedMs: () => performance.now(),
          });
  }

  async listNamespaces(parent: Namespace = []): Promise<Namespace[]> {
    const query = parent.length === 0 ? '' : `?parent=${namespacePath(parent)}`;
    const rows = await this.#pages(`namespaces${query}`, 'namespaces');
    return rows.map((row) => asLevels(row));
  }

  async createNamespace(
    namespace: Namespace,
    properties: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.#call('POST', 'namespaces', { namespace, properties });
  }

  async loadNamespace(namespace: Namespace): Promise<Readonly<Record<string, string>>> {
    const body = await this.#call('GET', `namespaces/${namespacePath(namespace)}`);
    return asProperties(field(body, 'properties'));
  }

  async namespaceExists(namespace: Namespace): Promise<boolean> {
    return this.#isThere(`namespaces/${namespacePath(namespace)}`);
  }

  async updateNamespace(
    namespace: Namespace,
    changes: { readonly updates?: Readonly<Record<string, string>>; readonly removals?: readonly string[] },
  ): Promise<void> {
    const { updates = {}, removals = [] } = changes;
    await this.#call('POST', `namespaces/${namespacePath(namespace)}/properties`, { updates, removals });
  }

  async dropNamespace(namespace: Namespace): Promise<void> {
    await this.#call('DELETE', `namespaces/${namespacePath(namespace)}`);
  }

  async listTables(namespace: Namespace): Promise<TableIdentifier[]> {
    const rows = await this.#pages(`namespaces/${namespacePath(namespace)}/tables`, 'identifiers');
    return rows.map((row) => ({
      namespace: asLevels(field(row, 'namespace')),
      name: String(field(row, 'name')),
    }));
  }

  async createTable(namespace: Namespace, request: CreateTableRequest): Promise<LoadedTable> {
    const body = await this.#call('POST', `namespaces/${namespacePath(namespace)}/tables`, request);
    return changed(this.#uri, () => asTable({ namespace, name: request.name }, body));
  }

  async loadTable(identifier: TableIdentifier): Promise<LoadedTable> {
    return asTable(identifier, await this.#call('GET', tablePath(identifier)));
  }

  async tableExists(identifier: TableIdentifier): Promise<boolean> {
    return this.#isThere(tablePath(identifier));
  }

  async dropTable(identifier: TableIdentifier, options: { readonly purge?: boolean } = {}): Promise<void> {
    await this.#call('DELETE', `${tablePath(identifier)}?purgeRequested=${options.purge === true}`);
  }

  async commitTable(commit: TableCommit): Promise<LoadedTable> {
    const body = await this.#call('POST', tablePath(commit.identifier), commit);
    return changed(this.#uri, () => asTable(commit.identifier, body));
  }

  async commitTransaction(commits: readonly TableCommit[]): Promise<void> {
    await this.#call('POST', 'transactions/commit', { 'table-changes': commits });
  }

  async extension<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
    try {
      return (await this.#request(method, `${this.#uri}${path}`, body)) as T;
    } catch (error) {
      if (!(error instanceof LakeError) || error.context['own'] === true) throw error;
      if (![404, 405, 406, 501].includes(Number(error.context['status']))) throw error;
      throw new LakeError('unsupported', `The catalog at ${this.#uri} is not a Lakewarden one`, {
        hint: 'Relocations need its journal: use the embedded catalog, or one served by `lake catalog serve`.',
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    await this.#options.onClose?.();
  }

  async #resolved(): Promise<Address> {
    this.#address ??= this.#askConfig();
    try {
      return await this.#address;
    } catch (error) {
      this.#address = null;
      throw error;
    }
  }

  async #askConfig(): Promise<Address> {
    const { warehouse } = this.#options;
    const query = warehouse === undefined ? '' : `?warehouse=${encodeURIComponent(warehouse)}`;
    const config = await this.#request('GET', `${this.#uri}/v1/config${query}`);
    const said = (name: string): string => {
      const value = field(field(config, 'overrides'), name) ?? field(field(config, 'defaults'), name);
      return typeof value === 'string' ? value : '';
    };
    const prefix = said('prefix');
    return {
      base: prefix === '' ? `${this.#uri}/v1` : `${this.#uri}/v1/${prefix}`,
      separator: said('namespace-separator') || UNIT_SEPARATOR,
    };
  }

  async #call(method: Method, path: string, body?: unknown): Promise<unknown> {
    const { base, separator } = await this.#resolved();
    return this.#request(method, `${base}/${withSeparator(path, separator)}`, body);
  }

  async #isThere(path: string): Promise<boolean> {
    try {
      await this.#call('HEAD', path);
      return true;
    } catch (error) {
      if (error instanceof LakeError && error.kind === 'not-found') return false;
      throw error;
    }
  }

  async #pages(path: string, key: string): Promise<unknown[]> {
    const rows: unknown[] = [];
    let token: unknown = '';
    do {
      const query = `${path.includes('?') ? '&' : '?'}pageToken=${encodeURIComponent(String(token))}`;
      const body = await this.#call('GET', path + query);
      const page = field(body, key);
      if (Array.isArray(page)) rows.push(...page);
      token = field(body, 'next-page-token');
    } while (typeof token === 'string' && token !== '');
    return rows;
  }

  /** A request with a token; once more with another one if the catalog refuses it (401), as nothing was done then. */
  async #request(method: Method, url: string, body?: unknown): Promise<unknown> {
    const token = this.#options.token ?? (await this.#credential?.token());
    try {
      return await this.#send(method, url, body, token);
    } catch (error) {
      const isRefused = error instanceof LakeError && error.context['status'] === 401;
      if (!isRefused || this.#credential === null || token === undefined) throw error;
      return this.#send(method, url, body, await this.#credential.renewed(token));
    }
  }

  async #send(method: Method, url: string, body: unknown, token: string | undefined): Promise<unknown> {
    const { fetch: send = fetch, timeoutMs = TIMEOUT_MS } = this.#options;
    const changes = method === 'POST' || method === 'DELETE';
    let response: Response;
    let text: string;
    try {
      response = await send(url, {
        method,
        headers: {
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        // A followed redirect turns POST into GET: a commit would read the table and look like a success.
        redirect: changes ? 'manual' : 'follow',
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body: stringifyJson(body) }),
      });
      text = await response.text();
    } catch (error) {
      throw fromFailure(error, this.#uri, changes);
    }
    if (response.status >= 300 && response.status < 400) throw redirected(url, response);
    if (response.ok && text === '') return undefined;
    if (response.ok) {
      try {
        return parseJson(text);
      } catch (error) {
        throw fromFailure(error, this.#uri, changes);
      }
    }
    throw fromResponse(response.status, parsedOrNull(text), this.#uri, changes);
  }
}

/** Reads the answer to a change that the catalog says it made: one that cannot be read must not look like a failed change. */
function changed<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw fromFailure(error, where, true);
  }
}

function redirected(url: string, response: Response): LakeError {
  return new LakeError(
    'unavailable',
    `The catalog redirects to ${response.headers.get('location') ?? 'nowhere'}`,
    {
      where: url,
      hint: 'Nothing was changed. Put the address it redirects to into catalog.uri.',
    },
  );
}

function namespacePath(namespace: Namespace): string {
  return namespace.map(encodeURIComponent).join(UNIT_SEPARATOR);
}

/** A path whose names hold the catalog's own separator keeps U+001F, which every catalog has to take. */
function withSeparator(path: string, separator: string): string {
  const names = path.replaceAll(UNIT_SEPARATOR, '');
  if (separator === UNIT_SEPARATOR || names.includes(decodeURIComponent(separator))) return path;
  return names.includes(separator) ? path : path.replaceAll(UNIT_SEPARATOR, separator);
}

function tablePath(identifier: TableIdentifier): string {
  return `namespaces/${namespacePath(identifier.namespace)}/tables/${encodeURIComponent(identifier.name)}`;
}

/** A proxy's error page is no JSON; its status still counts. */
function parsedOrNull(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return null;
  }
}

function asLevels(value: unknown): Namespace {
  return Array.isArray(value) ? value.map(String) : [];
}

function asProperties(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]));
}

function asTable(identifier: TableIdentifier, body: unknown): LoadedTable {
  const location = field(body, 'metadata-location');
  return {
    identifier,
    ...(typeof location === 'string' ? { metadataLocation: location } : {}),
    metadata: tableMetadataOf(field(body, 'metadata')),
    config: asProperties(field(body, 'config')),
  };
}
