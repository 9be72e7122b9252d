import { mutated, rawText } from './garbage.ts';
import { lakeRequests } from './lake-requests.ts';
import { PROTOCOL_REQUESTS } from './protocol-requests.ts';
import type { FuzzRequest, World } from './world.ts';

const MAKERS = [...PROTOCOL_REQUESTS, ...lakeRequests()];

/** The next request: one that makes sense, one that nearly does, or garbage; with whatever headers clients send. */
export function nextRequest(world: World): FuzzRequest {
  const { dice } = world;
  if (world.keys.length > 0 && dice.chance(0.03)) return repeated(world);
  const made = dice.weighted(MAKERS)(world);
  const request = dice.weighted<(one: FuzzRequest) => FuzzRequest>([
    [60, (one) => one],
    [
      20,
      (one) => ({
        ...one,
        says: `${one.says}, body mutated`,
        body: mutated(dice, world.pool, one.body ?? {}),
      }),
    ],
    [8, (one) => ({ ...one, says: `${one.says}, text broken`, raw: rawText(dice, one.body ?? {}) })],
    [8, (one) => ({ ...one, says: `${one.says}, url bent`, url: bentUrl(world, one.url) })],
    [
      4,
      (one) => ({
        ...one,
        says: `${one.says}, method changed`,
        method: dice.pick(['GET', 'HEAD', 'POST', 'DELETE'] as const),
      }),
    ],
  ])(made);
  // What a changed request means for the world is not known beforehand: see `settle` of the run.
  const meant = request === made ? request : without(request);
  return withHeaders(world, meant);
}

function without({ done: _done, ...request }: FuzzRequest): FuzzRequest {
  return request;
}

function withHeaders(world: World, request: FuzzRequest): FuzzRequest {
  const { dice } = world;
  const headers: Record<string, string> = { ...request.headers };
  if (dice.chance(0.15)) {
    headers['idempotency-key'] = dice.chance(0.85)
      ? dice.uuid()
      : dice.pick(['x', '', '0'.repeat(36), '😀'.replace(/./gu, 'u')]);
  }
  if (dice.chance(0.03))
    headers['content-type'] = dice.pick([
      'text/plain',
      'application/xml',
      'application/json; charset=utf-16',
      'multipart/form-data',
      'application/x-www-form-urlencoded',
      '',
    ]);
  if (dice.chance(0.02))
    headers['x-iceberg-access-delegation'] = dice.pick(['vended-credentials', 'remote-signing', 'x,y', '']);
  if (dice.chance(0.02)) headers['accept'] = dice.pick(['*/*', 'text/html', 'application/xml;q=9', '']);
  if (dice.chance(0.02)) headers['authorization'] = dice.pick(['Bearer x', 'Basic eDp5', 'Bearer', '']);
  if (dice.chance(0.01)) headers['content-encoding'] = dice.pick(['gzip', 'br', 'x']);
  if (dice.chance(0.01)) headers['x-big'] = 'h'.repeat(8000);
  return { ...request, headers };
}

/** The same request under the same key once more, or another one under it. */
function repeated(world: World): FuzzRequest {
  const { dice } = world;
  const { key, request: first } = dice.pick(world.keys);
  const again = dice.chance(0.7) ? first : nextRequest(world);
  return {
    ...without(again),
    says: `${again.says}, key used again`,
    headers: { ...again.headers, 'idempotency-key': key },
  };
}

function bentUrl({ dice }: World, url: string): string {
  const parts = url.split('/');
  const at = 1 + dice.int(parts.length - 1);
  const bits = [
    '%',
    '%zz',
    '%ff',
    '%00',
    '%2F',
    '%1F',
    '%1F%1F',
    '..',
    '%2e%2e',
    '',
    '?',
    '#',
    ';',
    '*',
    '😀',
    'x'.repeat(9000),
    '%F0%9F%98',
    ' ',
    '//',
    '+',
    '\\',
  ];
  return dice.weighted<() => string>([
    [4, () => parts.with(at, dice.pick(bits)).join('/')],
    [3, () => parts.with(at, parts[at] + dice.pick(bits)).join('/')],
    [2, () => parts.toSpliced(at, 1).join('/')],
    [2, () => parts.toSpliced(at, 0, dice.pick(bits)).join('/')],
    [
      2,
      () =>
        `${url}${url.includes('?') ? '&' : '?'}${dice.pick(['pageToken=%00&pageSize=1', 'snapshots=all&snapshots=refs', 'pageSize=1&pageSize=2&pageToken=', 'purgeRequested[]=1', '__proto__=1', '%=%', 'parent=%1F'])}`,
    ],
    [1, () => `${url}/`],
  ])();
}
