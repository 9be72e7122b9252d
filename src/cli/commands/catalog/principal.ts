import { InvalidArgumentError } from 'commander';
import { durationMs, isDuration, parseDuration } from '../../../policy/duration.ts';
import type { CommandFactory } from '../../command.ts';
import { withExamples } from '../../command.ts';
import type { Session } from '../../session.ts';
import { timeText } from '../../units.ts';
import { everyRow } from './access-page.ts';

interface Principal {
  readonly name: string;
  readonly 'client-id': string;
  readonly 'created-at-ms': number;
  readonly 'disabled-at-ms': number | null;
}

interface WithSecret extends Principal {
  readonly secret: string;
  readonly 'old-secret-until-ms'?: number;
}

const PATH = '/lake/v1/principals';
const DAY = '24h';

function parseOverlap(text: string): string {
  if (text !== '0' && !isDuration(text))
    throw new InvalidArgumentError('Write a duration such as 24h, or 0.');
  return text;
}

/** `lake catalog principal …`: service accounts of the catalog. */
export const addCatalogPrincipal: CommandFactory = (parent, run) => {
  const principal = parent
    .command('principal')
    .description('service accounts that sign in to the served catalog');
  const named = (
    verb: string,
    description: string,
    body: (session: Session, name: string) => Promise<void>,
  ) =>
    principal
      .command(`${verb} <name>`)
      .description(description)
      .action((name: string) => run((session) => body(session, name)));
  const create = principal
    .command('create <name>')
    .description('make an account, and show its secret this one time')
    .option('--admin', 'let it do everything: manage and steward on the catalog')
    .action((name: string, options: { admin?: boolean }) =>
      run((session) => createPrincipal(session, name, options.admin === true)),
    );
  const rotate = principal
    .command('rotate <name>')
    .description('make a new secret, and show it this one time')
    .option(
      '--overlap <duration>',
      'how long the old secret is good still; 0 ends it at once',
      parseOverlap,
      DAY,
    )
    .action((name: string, options: { overlap: string }) =>
      run((session) => rotateSecret(session, name, options.overlap)),
    );
  const list = principal
    .command('list')
    .description('all accounts')
    .action(() => run(listPrincipals));
  const disable = named(
    'disable',
    'switch an account off: it is refused from its next request on',
    (session, name) => setDisabled(session, name, true),
  );
  const enable = named('enable', 'switch an account on again', (session, name) =>
    setDisabled(session, name, false),
  );
  const remove = named('delete', 'delete an account with its grants', deletePrincipal);
  const revoke = principal
    .command('revoke-tokens')
    .description(
      'end the tokens of all accounts within seconds (a signing key has leaked); they sign in anew',
    )
    .action(() => run(revokeTokens));
  withExamples(principal, [
    [
      'lake catalog principal create admin --admin',
      'the first account, made where the catalog’s database is',
    ],
    ['lake catalog principal create etl', 'an account without any rights; see lake catalog grant'],
  ]);
  withExamples(create, [
    ['lake catalog principal create etl -o json', 'client id and secret, for a secret store'],
  ]);
  withExamples(rotate, [
    ['lake catalog principal rotate etl --overlap 2h', 'the old secret ends in two hours'],
  ]);
  withExamples(list, [
    ['lake catalog principal list', 'which accounts there are, and which are switched off'],
  ]);
  withExamples(disable, [['lake catalog principal disable etl', 'its tokens end too']]);
  withExamples(enable, [['lake catalog principal enable etl', 'its secret is good again']]);
  withExamples(remove, [
    ['lake catalog principal delete etl --yes', 'one of the same name is another account'],
  ]);
  withExamples(revoke, [['lake catalog principal revoke-tokens --yes', 'secrets stay good']]);
};

async function createPrincipal(session: Session, name: string, admin: boolean): Promise<void> {
  const { catalog } = await session.lake();
  showSecret(session, await catalog.extension<WithSecret>('POST', PATH, { name, admin }));
}

async function rotateSecret(session: Session, name: string, overlap: string): Promise<void> {
  const { catalog } = await session.lake();
  const overlapMs = overlap === '0' ? 0 : durationMs(parseDuration(overlap));
  const path = `${PATH}/${encodeURIComponent(name)}/rotate`;
  showSecret(session, await catalog.extension<WithSecret>('POST', path, { 'overlap-ms': overlapMs }));
}

function showSecret(session: Session, made: WithSecret): void {
  const { name, 'client-id': id, secret, 'old-secret-until-ms': until } = made;
  const old = until === undefined ? '' : `\nThe old secret is good until ${timeText(until)}.`;
  session.output.result(
    {
      name,
      client_id: id,
      client_secret: secret,
      credential: `${id}:${secret}`,
      ...(until === undefined ? {} : { old_secret_until: new Date(until).toISOString() }),
    },
    `client id:      ${id}\nclient secret:  ${secret}\nKeep it now: it is not shown again. In lake.yaml and PyIceberg: credential "${id}:<secret>".${old}`,
  );
}

async function listPrincipals(session: Session): Promise<void> {
  const { catalog } = await session.lake();
  const rows = (await everyRow<Principal>(catalog, PATH, 'principals')).map((one) => ({
    name: one.name,
    created: new Date(one['created-at-ms']).toISOString(),
    state: one['disabled-at-ms'] === null ? 'enabled' : 'disabled',
  }));
  await session.output.rows(rows, {
    empty: 'There are no accounts yet: lake catalog principal create admin --admin makes the first one.',
    columns: [
      { key: 'name' },
      { key: 'created', format: (value) => timeText(Date.parse(String(value))) },
      { key: 'state' },
    ],
  });
}

async function setDisabled(session: Session, name: string, disabled: boolean): Promise<void> {
  const { catalog } = await session.lake();
  await catalog.extension('POST', `${PATH}/${encodeURIComponent(name)}/state`, { disabled });
  const state = disabled ? 'disabled' : 'enabled';
  session.output.result({ name, state }, `${name} is ${state}.`);
}

async function deletePrincipal(session: Session, name: string): Promise<void> {
  const { catalog } = await session.lake();
  await session.confirm(`Delete the account ${name} with its grants?`);
  await catalog.extension('DELETE', `${PATH}/${encodeURIComponent(name)}`);
  session.output.result({ name, state: 'deleted' }, `${name} is deleted.`);
}

async function revokeTokens(session: Session): Promise<void> {
  const { catalog } = await session.lake();
  await session.confirm('End the tokens of all accounts?');
  await catalog.extension('POST', '/lake/v1/signing-keys/rotate', { revoke: true });
  session.output.result({ tokens: 'revoked' }, 'All tokens end within seconds.');
}
