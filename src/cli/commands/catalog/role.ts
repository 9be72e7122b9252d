import type { Command } from 'commander';
import { LakeError } from '../../../errors.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import type { Session } from '../../session.ts';
import { everyRow } from './access-page.ts';

interface Member {
  readonly kind: 'principal' | 'claim' | 'subject';
  readonly name: string;
}

interface Role {
  readonly name: string;
  readonly members: readonly Member[];
}

interface MemberFlags {
  readonly principal?: string;
  readonly claim?: string;
  readonly subject?: string;
}

const PATH = '/lake/v1/roles';

/** `lake catalog role …`: who is in which role. */
export const addCatalogRole: CommandFactory = (parent, run) => {
  const role = parent
    .command('role')
    .description('roles: rights for several accounts, and for people by their OIDC tokens');
  const create = role
    .command('create <role>')
    .description('make a role without members and rights')
    .action((name: string) => run((session) => createRole(session, name)));
  const list = role
    .command('list')
    .description('all roles and who is in them')
    .action(() => run(listRoles));
  const add = withMember(role.command('add <role>').description('put somebody into a role')).action(
    (name: string, flags: MemberFlags) => run((session) => changeMember(session, name, flags, 'added to')),
  );
  const remove = withMember(role.command('remove <role>').description('take somebody out of a role')).action(
    (name: string, flags: MemberFlags) =>
      run((session) => changeMember(session, name, flags, 'removed from')),
  );
  const drop = role
    .command('delete <role>')
    .description('delete a role with its grants')
    .action((name: string) => run((session) => deleteRole(session, name)));
  withExamples(role, [
    [
      'lake catalog role create analysts',
      'then: lake catalog grant add read --role analysts --namespace gold',
    ],
    ['lake catalog role add analysts --claim data-analysts', 'whose OIDC token has it in the roles claim'],
  ]);
  withExamples(create, [['lake catalog role create analysts', 'a role to grant rights to']]);
  withExamples(list, [['lake catalog role list -o json', 'roles with their members']]);
  withExamples(add, [['lake catalog role add analysts --principal bi', 'an account of the catalog’s own']]);
  withExamples(remove, [['lake catalog role remove analysts --principal bi', 'from the next request on']]);
  withExamples(drop, [['lake catalog role delete analysts --yes', 'its grants go too']]);
};

function withMember(command: Command): Command {
  return command
    .option('--principal <name>', 'an account of the catalog (lake catalog principal)')
    .option('--claim <value>', 'everybody whose OIDC token has this value in the roles claim')
    .option('--subject <subject>', 'one person of the OIDC issuer');
}

function memberOf(flags: MemberFlags): Member {
  const kinds = ['principal', 'claim', 'subject'] as const;
  const given = kinds.flatMap((kind) => (flags[kind] === undefined ? [] : [{ kind, name: flags[kind] }]));
  const [member] = given;
  if (member !== undefined && given.length === 1) return member;
  throw new LakeError('usage', 'Say who: one of --principal, --claim and --subject', {
    hint: 'For example: lake catalog role add analysts --principal bi',
  });
}

async function createRole(session: Session, name: string): Promise<void> {
  const { catalog } = await session.lake();
  await catalog.extension('POST', PATH, { name });
  session.output.result({ role: name, members: [] }, `Role ${name} is made.`);
}

async function listRoles(session: Session): Promise<void> {
  const { catalog } = await session.lake();
  const roles = await everyRow<Role>(catalog, PATH, 'roles');
  const rows = roles.map(({ name, members }) => ({ role: name, members }));
  await session.output.rows(rows, {
    empty: 'There are no roles.',
    columns: [
      { key: 'role' },
      {
        key: 'members',
        format: (value) => (Array.isArray(value) ? (value as Member[]) : []).map(memberText).join(', '),
      },
    ],
  });
}

async function changeMember(
  session: Session,
  role: string,
  flags: MemberFlags,
  done: 'added to' | 'removed from',
): Promise<void> {
  const member = memberOf(flags);
  const { catalog } = await session.lake();
  const path = `${PATH}/${encodeURIComponent(role)}/members${done === 'added to' ? '' : '/remove'}`;
  await catalog.extension('POST', path, member);
  session.output.result(
    { role, member, state: done.split(' ')[0] },
    `${memberText(member)} is ${done} role ${role}.`,
  );
}

async function deleteRole(session: Session, role: string): Promise<void> {
  const { catalog } = await session.lake();
  await session.confirm(`Delete the role ${role} with its grants?`);
  await catalog.extension('DELETE', `${PATH}/${encodeURIComponent(role)}`);
  session.output.result({ role, state: 'deleted' }, `Role ${role} is deleted.`);
}

const memberText = ({ kind, name }: Member): string => `${kind} ${name}`;
