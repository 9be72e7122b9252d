import { policyJsonSchema } from '../../policy/policy-file.ts';
import { readPolicies } from '../../tiering/policy-files.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { toJson } from '../output.ts';
import type { Session } from '../session.ts';

/** `lake policy …`: the files in which data stewards say what lies where. */
export const addPolicy: CommandFactory = (parent, run) => {
  const policy = parent
    .command('policy')
    .description('check the policy files that say when data moves to which tier');
  const validate = policy
    .command('validate')
    .description('check all policy files, and report every problem with file, line and column')
    .action(() => run(validatePolicies));
  withExamples(validate, [['lake policy validate', 'exit code 0 if all files are valid, 2 if one is not']]);
  const schema = policy
    .command('schema')
    .description('print the JSON Schema of policy files, for editors')
    .action(() => run(printSchema));
  withExamples(schema, [
    ['lake policy schema > policy.schema.json', 'an editor then completes and checks the keys'],
  ]);
  withExamples(policy, [['lake policy validate', 'before a change of policy is committed']]);
};

async function validatePolicies(session: Session): Promise<void> {
  const config = await session.config();
  const { policies } = await readPolicies(config);
  await session.output.rows(
    policies.map((policy) => ({
      policy: policy.name,
      file: policy.file,
      priority: policy.priority,
      tables: policy.match.tables ?? [],
      transitions: policy.transitions.map(({ to, afterText }) => ({ to, after: afterText })),
    })),
    {
      empty: `There are no policies in ${config.policiesFolder}: everything stays in the hottest tier.`,
      columns: [
        { key: 'policy' },
        { key: 'file' },
        { key: 'priority', align: 'right' },
        {
          key: 'tables',
          format: (value) => (Array.isArray(value) && value.length > 0 ? value.join(', ') : 'all that match'),
        },
        { key: 'transitions', format: transitionsText },
      ],
    },
  );
  session.output.note('All policy files are valid.');
}

function transitionsText(value: unknown): string {
  if (!Array.isArray(value) || value.length === 0) return 'none';
  return value.map((one: { to: string; after: string }) => `${one.to} after ${one.after}`).join(', ');
}

async function printSchema(session: Session): Promise<void> {
  // A schema is a document in every output format: there is no table to draw of it.
  session.terminal.stdout.write(`${toJson(policyJsonSchema(), 2)}\n`);
}
