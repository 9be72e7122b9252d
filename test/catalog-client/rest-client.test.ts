import { createServer, type ServerResponse } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { RestCatalog } from '../../src/catalog-client/rest-client.ts';
import { stringifyJson } from '../../src/iceberg/json.ts';
import { newTableMetadata } from '../../src/iceberg/table-metadata.ts';

const TABLE = { namespace: ['a'], name: 'b' };
const COMMIT = { identifier: TABLE, requirements: [], updates: [] };
const METADATA = newTableMetadata({
  schema: { type: 'struct', 'schema-id': 0, fields: [] },
  location: 'file:///t',
  uuid: 'c6b64c4b-1b3a-4b47-8f2d-3f6f0fb4d7a1',
  nowMs: 1,
});
const GOOD = stringifyJson({ 'metadata-location': 'file:///t/m.json', metadata: METADATA, config: {} });

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** A catalog whose answers to changes are what `answer` makes them. */
async function catalogThat(
  answer: (response: ServerResponse) => void,
): Promise<{ catalog: RestCatalog; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      asked.push(`${request.method} ${request.url}`);
      if (request.url?.startsWith('/v1/config')) response.end('{}');
      else if (request.method === 'GET') response.end(GOOD);
      else answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return { catalog: new RestCatalog({ uri: `http://127.0.0.1:${port}` }), asked };
}

it.each([
  ['no JSON', (response: ServerResponse) => response.end('<html>signed out</html>')],
  ['JSON that is no table', (response: ServerResponse) => response.end('{"status": "fine"}')],
  ['nothing at all', (response: ServerResponse) => response.end()],
  ['half a document', (response: ServerResponse) => response.end(GOOD.slice(0, 90))],
  [
    'a reset in the middle of the body',
    (response: ServerResponse) => {
      response.writeHead(200, { 'content-length': String(GOOD.length) });
      response.write(GOOD.slice(0, 50), () => response.destroy());
    },
  ],
  ['a reset before the head', (response: ServerResponse) => response.destroy()],
  ['502 of a proxy', (response: ServerResponse) => response.writeHead(502).end('<html>')],
])('a change that is answered with %s has an unknown outcome', async (_what, answer) => {
  const { catalog } = await catalogThat((response) => void answer(response));
  await expect(catalog.commitTable(COMMIT)).rejects.toMatchObject({ kind: 'unknown-outcome' });
  const schema = METADATA.schemas[0]!;
  await expect(catalog.createTable(['a'], { name: 'b', schema })).rejects.toMatchObject({
    kind: 'unknown-outcome',
  });
});

it.each([
  ['no JSON', (response: ServerResponse) => response.end('<html>signed out</html>')],
  ['a reset', (response: ServerResponse) => response.destroy()],
])('a transaction that is answered with %s has an unknown outcome', async (_what, answer) => {
  const { catalog } = await catalogThat((response) => void answer(response));
  await expect(catalog.commitTransaction([COMMIT])).rejects.toMatchObject({ kind: 'unknown-outcome' });
});

it.each([301, 302, 303, 307, 308])(
  'a change is not followed through a redirect (%i): nothing was changed',
  async (status) => {
    const { catalog, asked } = await catalogThat((response) => {
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    await expect(catalog.commitTable(COMMIT)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('/elsewhere'),
    });
    await expect(catalog.dropTable(TABLE)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(asked.some((line) => line.includes('elsewhere'))).toBe(false);
  },
);

it('an answer that says 409 is a conflict, whatever its body', async () => {
  const { catalog } = await catalogThat((response) => response.writeHead(409).end('<html>'));
  await expect(catalog.commitTable(COMMIT)).rejects.toMatchObject({ kind: 'conflict' });
});

it('a good answer is the table', async () => {
  const { catalog } = await catalogThat((response) => response.end(GOOD));
  await expect(catalog.commitTable(COMMIT)).resolves.toMatchObject({ metadataLocation: 'file:///t/m.json' });
});
