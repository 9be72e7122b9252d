import { Argument, type Command } from 'commander';
import { LakeError } from '../../../errors.ts';
import { parseTableName } from '../../../table/table.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import type { Session } from '../../session.ts';
import { timeText } from '../../units.ts';
import { everyRow } from './access-page.ts';

const PRIVILEGES = ['read', 'write', 'manage', 'maintain', 'steward'] as const;

interface Flags {
  readonly principal?: string;
  readonly role?: string;
  readonly catalog?: boolean;
  readonly namespace?: string;
  readonly table?: string;
  readonly view?: string;
}

interface Named {
  readonly namespace: readonly string[];
  readonly name: string;
}

type Object =
  | { readonly kind: 'catalog' }
  | { readonly kind: 'namespace'; readonly levels: readonly string[] }
  | { readonly kind: 'table' | 'view'; readonly name: Named };

interface Grant {
  readonly grantee: { readonly kind: string; readonly name: string };
  readonly privilege: string;
  /** A dropped table has a uuid and no name. */
  readonly on: {
    readonly kind: string;
    readonly levels?: readonly string[];
    readonly name?: Named;
    readonly uuid?: string;
  };
  readonly 'granted-by': string;
  readonly 'granted-at-ms': number;
}

const PATH = '/lake/v1/grants';

/** `lake catalog grant …`: who may do what. */
export const addCatalogGrant: CommandFactory = (parent, run) => {
  const grant = parent.command('grant').description('what accounts and roles may do, and on what');
  const privilege = () => new Argument('<privilege>', 'what they may do').choices(PRIVILEGES);
  const add = withObject(withGrantee(grant.command('add').addArgument(privilege())))
    .description('let an account or a role do something')
    .action((what: string, flags: Flags) => run((session) => changeGrant(session, what, flags, 'granted')));
  const remove = withObject(withGrantee(grant.command('remove').addArgument(privilege())))
    .description('take a grant back')
    .action((what: string, flags: Flags) => run((session) => changeGrant(session, what, flags, 'removed')));
  const list = withObject(withGrantee(grant.command('list')))
    .description('all grants, or those of one account or role, or on one object')
    .action((flags: Flags) => run((session) => listGrants(session, flags)));
  withExamples(grant, [
    ['lake catalog grant add read --role analysts --namespace gold', 'all that is in it, now and later'],
    [
      'lake catalog grant add write --principal etl --table silver.flights',
      'read too, but not expire or drop',
    ],
  ]);
  withExamples(add, [
    [
      'lake catalog grant add manage --principal etl --namespace silver',
      'create, drop, rename and grant in it',
    ],
    ['lake catalog grant add maintain --principal keeper --catalog', 'expire, compact and move every table'],
  ]);
  withExamples(remove, [
    ['lake catalog grant remove read --role analysts --namespace gold', 'from the next request on'],
  ]);
  withExamples(list, [['lake catalog grant list --principal etl', 'without those that it has by roles']]);
};

function withGrantee(command: Command): Command {
  return command
    .option('--principal <name>', 'an account of the catalog')
    .option('--role <name>', 'a role of the catalog');
}

function withObject(command: Command): Command {
  return command
    .option('--catalog', 'everything')
    .option('--namespace <namespace>', 'a namespace with all below it, such as silver or raw.eu')
    .option('--table <table>', 'one table, such as silver.flights')
    .option('--view <view>', 'one view');
}

function granteeOf(flags: Flags): { readonly kind: 'principal' | 'role'; readonly name: string } | null {
  if (flags.principal !== undefined && flags.role !== undefined) {
    throw new LakeError('usage', 'Write --principal or --role, not both');
  }
  if (flags.principal !== undefined) return { kind: 'principal', name: flags.principal };
  return flags.role === undefined ? null : { kind: 'role', name: flags.role };
}

function objectOf(flags: Flags): Object | null {
  const given: Object[] = [];
  if (flags.catalog === true) given.push({ kind: 'catalog' });
  if (flags.namespace !== undefined) given.push({ kind: 'namespace', levels: flags.namespace.split('.') });
  if (flags.table !== undefined) given.push({ kind: 'table', name: namedOf(flags.table) });
  if (flags.view !== undefined) given.push({ kind: 'view', name: namedOf(flags.view) });
  if (given.length > 1)
    throw new LakeError('usage', 'Write one of --catalog, --namespace, --table and --view');
  return given[0] ?? null;
}

function namedOf(text: string): Named {
  const { namespace, name } = parseTableName(text);
  return { namespace, name };
}

async function changeGrant(
  session: Session,
  privilege: string,
  flags: Flags,
  done: 'granted' | 'removed',
): Promise<void> {
  const grantee = granteeOf(flags);
  const on = objectOf(flags);
  if (grantee === null || on === null) {
    throw new LakeError('usage', `Say ${grantee === null ? 'who (--principal or --role)' : 'on what'}`, {
      hint: 'For example: lake catalog grant add read --role analysts --namespace gold',
    });
  }
  const { catalog } = await session.lake();
  const path = done === 'granted' ? PATH : `${PATH}/revoke`;
  await catalog.extension('POST', path, { grantee, privilege, on });
  session.output.result(
    { grantee, privilege, on, state: done },
    `${privilege} on ${objectText(on)} is ${done}: ${grantee.kind} ${grantee.name}.`,
  );
}

async function listGrants(session: Session, flags: Flags): Promise<void> {
  const grantee = granteeOf(flags);
  const on = objectOf(flags);
  const query = new URLSearchParams({
    ...(grantee === null ? {} : { 'grantee-kind': grantee.kind, 'grantee-name': grantee.name }),
    ...(on === null ? {} : { on: JSON.stringify(on) }),
  });
  const { catalog } = await session.lake();
  const rows = await everyRow<Grant>(catalog, query.size === 0 ? PATH : `${PATH}?${query}`, 'grants');
  const shown = rows.map((one) => ({
    grantee: one.grantee,
    privilege: one.privilege,
    on: one.on,
    by: one['granted-by'],
    at: new Date(one['granted-at-ms']).toISOString(),
  }));
  await session.output.rows(
    session.output.format === 'text'
      ? shown.map((one) => ({
          ...one,
          grantee: `${one.grantee.kind} ${one.grantee.name}`,
          on: objectText(one.on),
        }))
      : shown,
    {
      empty: 'There are no such grants.',
      columns: [
        { key: 'grantee' },
        { key: 'privilege' },
        { key: 'on' },
        { key: 'by' },
        { key: 'at', format: (value) => timeText(Date.parse(String(value))) },
      ],
    },
  );
}

function objectText(on: Grant['on'] | Object): string {
  if (on.kind === 'catalog') return 'the catalog';
  if ('levels' in on && on.levels !== undefined) return `namespace ${on.levels.join('.')}`;
  if ('name' in on && on.name !== undefined) {
    return `${on.kind} ${[...on.name.namespace, on.name.name].join('.')}`;
  }
  return `dropped ${on.kind} ${'uuid' in on ? on.uuid : ''}`;
}
