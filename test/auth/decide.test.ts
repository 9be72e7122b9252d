import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PRIVILEGES, type Privilege, type Right } from '../../catalog/auth/access.ts';
import { decide, type GrantScope, type Held, type Target } from '../../catalog/auth/decide.ts';

/*
 * Against a plain model: a catalog is a tree of nodes, each grant marks one; a right is held if the way from the root to the node meets a
 * mark that includes it; something is seen if a mark lies on the way to it or below it.
 */

type Node = readonly string[];

const NAMESPACES: readonly Node[] = [['a'], ['a', 'x'], ['a', 'x', 'y'], ['ab'], ['b'], ['b', 'x']];
const RELATIONS = NAMESPACES.flatMap((namespace) =>
  (['table', 'view'] as const).flatMap((kind) =>
    ['t', 'u'].map((name) => ({ kind, namespace, name, uuid: `${kind}:${namespace.join('.')}:${name}` })),
  ),
);

interface Place {
  /** From the root. */
  readonly way: Node;
  readonly scope: GrantScope;
  readonly target: Target;
}

const wayOf = (namespace: Node): Node => ['root', ...namespace.map((level) => `namespace ${level}`)];
const PLACES: readonly Place[] = [
  { way: ['root'], scope: { kind: 'catalog' }, target: { kind: 'catalog' } },
  ...NAMESPACES.map((levels) => ({
    way: wayOf(levels),
    scope: { kind: 'namespace', levels } as const,
    target: { kind: 'namespace', levels } as const,
  })),
  ...RELATIONS.map(({ kind, namespace, name, uuid }) => ({
    way: [...wayOf(namespace), `${kind} ${name}`],
    scope: { kind, uuid, at: { namespace, name } },
    target: { kind, uuid, namespace },
  })),
];

/** Written down apart from the code: what each privilege lets its holder do. */
const INCLUDES: Readonly<Record<Privilege, string>> = {
  read: 'read',
  write: 'read write',
  maintain: 'read maintain',
  steward: 'read steward',
  manage: 'read write maintain manage',
};

const starts = (way: Node, prefix: Node) => prefix.every((node, at) => way[at] === node);

function modelHolds(
  marks: readonly { place: Place; privilege: Privilege }[],
  right: Right,
  way: Node,
): boolean {
  if (right === 'see') return marks.some(({ place }) => starts(way, place.way) || starts(place.way, way));
  return marks.some(
    ({ place, privilege }) => starts(way, place.way) && INCLUDES[privilege].split(' ').includes(right),
  );
}

const place = fc.constantFrom(...PLACES);
const marks = fc.array(fc.record({ place, privilege: fc.constantFrom(...PRIVILEGES) }), { maxLength: 4 });
const rights = fc.array(fc.constantFrom<Right>(...PRIVILEGES, 'see'), { minLength: 1, maxLength: 3 });

it('decides as the plain model does', () => {
  fc.assert(
    fc.property(marks, rights, place, (granted, anyOf, asked) => {
      const held: Held[] = granted.map((mark) => ({ privilege: mark.privilege, scope: mark.place.scope }));
      const decision = decide(held, anyOf, asked.target);
      const isAllowed = anyOf.some((right) => modelHolds(granted, right, asked.way));
      expect(decision.allowed).toBe(isAllowed);
      if (!decision.allowed) expect(decision.hidden).toBe(!modelHolds(granted, 'see', asked.way));
    }),
    { numRuns: 3000 },
  );
});

it('hides what does not exist from everybody who does not hold the right above it', () => {
  const missing = { kind: 'table', uuid: null, namespace: ['a'] } as const;
  fc.assert(
    fc.property(marks, rights, (granted, anyOf) => {
      const held = granted.map((mark) => ({ privilege: mark.privilege, scope: mark.place.scope }));
      const decision = decide(held, anyOf, missing);
      if (!decision.allowed) expect(decision.hidden).toBe(true);
      const above = granted.filter(
        (mark) => mark.place.scope.kind === 'catalog' || mark.place.scope.kind === 'namespace',
      );
      const isAllowed = anyOf.some((right) =>
        right === 'see'
          ? above.some((mark) => starts(wayOf(['a']), mark.place.way))
          : modelHolds(above, right, [...wayOf(['a']), 'table new']),
      );
      expect(decision.allowed).toBe(isAllowed);
    }),
    { numRuns: 1000 },
  );
});

it('never turns a grant on one table into one on a table of the same name', () => {
  const held: Held[] = [
    { privilege: 'manage', scope: { kind: 'table', uuid: 'old', at: { namespace: ['a'], name: 't' } } },
  ];
  expect(decide(held, ['read'], { kind: 'table', uuid: 'new', namespace: ['a'] }).allowed).toBe(false);
  expect(decide(held, ['read'], { kind: 'view', uuid: 'old', namespace: ['a'] }).allowed).toBe(false);
  expect(decide(held, ['read'], { kind: 'namespace', levels: ['a'] }).allowed).toBe(false);
  expect(decide(held, ['see'], { kind: 'namespace', levels: ['a'] }).allowed).toBe(true);
});
