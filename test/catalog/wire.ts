import { buildCatalogApp } from '../../catalog/app.ts';
import { openCatalogStore } from '../../catalog/store/open-store.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { type CatalogUnderTest, ELSEWHERE } from './lake.ts';

type Method = 'GET' | 'HEAD' | 'POST' | 'DELETE';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is asserted on, member by member
  readonly body: any;
}

export interface Wire {
  send(
    method: Method,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  close(): Promise<void>;
}

/** Another server of the same catalog, spoken to request by request. Purges are done when their answer comes. */
export async function wire(
  under: CatalogUnderTest,
  over: { readonly clock?: Clock; readonly objects?: ObjectStore } = {},
): Promise<Wire> {
  const { clock = systemClock, objects = under.objects } = over;
  const store = await openCatalogStore(under.database, clock);
  const warehouse = `file://${under.folder}/hot`;
  const app = buildCatalogApp({
    store,
    objects,
    clock,
    warehouse,
    allowedLocations: ELSEWHERE,
    awaitPurges: true,
  });
  return {
    async send(method, path, body, headers = {}) {
      const answer = await app.inject({
        method,
        url: path,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : stringifyJson(body) }),
      });
      const text = answer.payload;
      return {
        status: answer.statusCode,
        headers: answer.headers,
        body: text === '' ? null : parseJson(text),
      };
    },
    close: () => app.close(),
  };
}
