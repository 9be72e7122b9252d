import type { Dice } from './dice.ts';
import { NAMES } from './garbage.ts';
import { escapingLocation, ownLocation } from './places.ts';
import type { FuzzRequest, Name, World } from './world.ts';

type Method = FuzzRequest['method'];
type Done = NonNullable<FuzzRequest['done']>;

export const segment = (text: string): string => encodeURIComponent(text.toWellFormed());
export const levelsPath = (levels: readonly string[]): string => levels.map(segment).join('%1F');
export const namespacePath = (levels: readonly string[]): string => `/v1/namespaces/${levelsPath(levels)}`;
export const tablePath = ({ namespace, name }: Name): string =>
  `${namespacePath(namespace)}/tables/${segment(name)}`;
export const viewPath = ({ namespace, name }: Name): string =>
  `${namespacePath(namespace)}/views/${segment(name)}`;

export function request(says: string, method: Method, url: string, body?: unknown, done?: Done): FuzzRequest {
  return {
    says,
    method,
    url,
    headers: {},
    ...(body === undefined ? {} : { body }),
    ...(done ? { done } : {}),
  };
}

export const aName = (dice: Dice): string =>
  dice.chance(0.92)
    ? `${dice.pick(['a', 'b', 't', 'Ünï', 'x y', 'p+q', 'a.b', 'a/b'])}${dice.int(40)}`
    : dice.pick(NAMES);

export function aNamespace(world: World): readonly string[] {
  const known = [...world.namespaces.values()];
  return known.length > 0 && world.dice.chance(0.95) ? world.dice.pick(known) : [aName(world.dice)];
}

export function aTable(world: World): Name {
  const known = [...world.tables.values()];
  if (known.length > 0 && world.dice.chance(0.93)) return world.dice.pick(known).name;
  return { namespace: aNamespace(world), name: aName(world.dice) };
}

export function aView(world: World): Name {
  const known = [...world.views.values()];
  if (known.length > 0 && world.dice.chance(0.9)) return world.dice.pick(known);
  return { namespace: aNamespace(world), name: aName(world.dice) };
}

export function aLocation(world: World): string {
  const { dice, places } = world;
  const others = [...world.tables.values()].map(({ metadata }) => String(metadata?.location));
  return dice.chance(0.4) ? ownLocation(dice, places) : escapingLocation(dice, places, others);
}

export const withPage = (world: World, url: string): string => {
  const { dice } = world;
  if (dice.chance(0.4)) return url;
  const token = encodeURIComponent(
    dice.chance(0.8) ? dice.pick(world.pageTokens) : dice.pick(NAMES).toWellFormed(),
  );
  const size = dice.pick<unknown>([1, 2, 3, 100, 0, -1, '1e3', 'x', 2 ** 40]);
  return `${url}${url.includes('?') ? '&' : '?'}pageToken=${token}&pageSize=${size}`;
};
