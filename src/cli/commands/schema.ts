import { Argument } from 'commander';
import { lakeJsonSchema } from '../../config.ts';
import { modelJsonSchema } from '../../pipeline/model-file.ts';
import { policyJsonSchema } from '../../policy/policy-file.ts';
import type { CommandFactory } from '../command.ts';
import { withExamples } from '../command.ts';
import { toJson } from '../output.ts';

const SCHEMAS = { lake: lakeJsonSchema, model: modelJsonSchema, policy: policyJsonSchema };
type EditedFile = keyof typeof SCHEMAS;

/** `lake schema FILE`: the JSON Schema of a file that people edit. */
export const addSchema: CommandFactory = (parent, run) => {
  const command = parent
    .command('schema')
    .description('print the JSON Schema of lake.yaml, of a model or of a policy file, for editors')
    .addArgument(new Argument('<file>', 'which file').choices(Object.keys(SCHEMAS)))
    .action((file: EditedFile) =>
      run(async (session) => {
        // A schema is a document in every output format: there is no table to draw of it.
        session.terminal.stdout.write(`${toJson(SCHEMAS[file](), 2)}\n`);
      }),
    );
  withExamples(command, [
    ['lake schema lake > lake.schema.json', 'an editor then completes and checks the keys of lake.yaml'],
    ['lake schema model > model.schema.json', 'the same for the yml beside each model'],
  ]);
};
