import { afterEach, expect, it } from 'vitest';
import { Credential } from '../../src/catalog-client/credential.ts';
import { RestCatalog } from '../../src/catalog-client/rest-client.ts';
import { LakeError } from '../../src/errors.ts';
import { type GuardedCatalog, guardedCatalog } from './guarded-catalog.ts';

let catalog: GuardedCatalog | undefined;
afterEach(async () => {
  await catalog?.dispose();
  catalog = undefined;
});

const answer = (status: number, body: unknown) => new Response(JSON.stringify(body), { status });

/** A token endpoint that numbers its tokens, good for `seconds` each. */
function tokens(seconds: number | undefined) {
  let asked = 0;
  let elapsed = 0;
  const credential = new Credential({
    uri: 'http://catalog',
    credential: 'etl:se:cret',
    timeoutMs: 1000,
    elapsedMs: () => elapsed,
    send: async (url, init) => {
      expect(url).toBe('http://catalog/v1/oauth/tokens');
      const form = new URLSearchParams(String(init.body));
      expect([form.get('client_id'), form.get('client_secret')]).toEqual(['etl', 'se:cret']);
      asked += 1;
      return answer(200, { access_token: `t${asked}`, token_type: 'bearer', expires_in: seconds });
    },
  });
  return { credential, asked: () => asked, pass: (ms: number) => (elapsed += ms) };
}

it('asks once for many requests, and anew before the token ends', async () => {
  const { credential, asked, pass } = tokens(3600);
  const first = await Promise.all([credential.token(), credential.token(), credential.token()]);
  expect([first, asked()]).toEqual([['t1', 't1', 't1'], 1]);
  pass(3_500_000);
  expect(await credential.token()).toBe('t1');
  pass(45_000);
  expect(await Promise.all([credential.token(), credential.token()])).toEqual(['t2', 't2']);
  expect(asked()).toBe(2);
});

it('replaces a refused token once, however many requests it was refused to', async () => {
  const { credential, asked } = tokens(undefined);
  expect(await credential.token()).toBe('t1');
  expect(await Promise.all([credential.renewed('t1'), credential.renewed('t1')])).toEqual(['t2', 't2']);
  expect(await credential.renewed('t1')).toBe('t2');
  expect(asked()).toBe(2);
});

it('sends a request once more with a new token when the catalog refuses the old one', async () => {
  const seen: string[] = [];
  let tokensMade = 0;
  const rest = new RestCatalog({
    uri: 'http://catalog',
    credential: 'etl:secret',
    fetch: async (url, init) => {
      if (url.endsWith('/oauth/tokens')) {
        tokensMade += 1;
        return answer(200, { access_token: `t${tokensMade}`, expires_in: 3600 });
      }
      const bearer = new Headers(init.headers).get('authorization') ?? '';
      seen.push(`${init.method} ${new URL(url).pathname} ${bearer}`);
      if (url.endsWith('/config')) return answer(200, { defaults: {}, overrides: {} });
      return bearer === 'Bearer t1'
        ? answer(401, { error: { message: 'expired', type: 'NotAuthorizedException', code: 401 } })
        : answer(200, { namespace: ['a'], properties: {} });
    },
  });
  await rest.createNamespace(['a']);
  expect(seen).toEqual([
    'GET /v1/config Bearer t1',
    'POST /v1/namespaces Bearer t1',
    'POST /v1/namespaces Bearer t2',
  ]);
});

it('tells of a wrong credential without telling it', async () => {
  catalog = await guardedCatalog();
  const { app } = catalog;
  const rest = new RestCatalog({
    uri: 'http://catalog',
    credential: 'etl:topsecret',
    fetch: async (url, init) => {
      const answered = await app.inject({
        method: init.method === 'POST' ? 'POST' : 'GET',
        url,
        headers: Object.fromEntries(new Headers(init.headers)),
        payload: String(init.body ?? ''),
      });
      return new Response(answered.payload, { status: answered.statusCode });
    },
  });
  const error = await rest.listNamespaces().catch((caught: unknown) => caught);
  expect(error).toMatchObject({ kind: 'forbidden' });
  if (!(error instanceof LakeError)) throw error;
  expect(`${error.message} ${error.hint} ${JSON.stringify(error.context)} ${error.stack}`).not.toContain(
    'topsecret',
  );
  expect(error.message).toContain('does not take the credential');
});
