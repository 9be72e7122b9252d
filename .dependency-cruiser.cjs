/** The house's import rules (ARCHITECTURE.md). TypeScript is read by swc: see `options.parser`. */
const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: '^(src|catalog)/', pathNot: allowed },
});

module.exports = {
  forbidden: [
    only('iceberg-is-pure', '^src/iceberg/', '^src/(iceberg/|errors\\.ts$)'),
    only('policy-is-pure', '^src/policy/', '^src/(policy/|iceberg/|errors\\.ts$)'),
    {
      name: 'the-pure-core-does-no-io',
      severity: 'error',
      from: { path: '^src/(iceberg|policy)/' },
      to: {
        dependencyTypes: ['core'],
        path: '^(node:)?(fs|fs/promises|net|http|https|child_process|os|sqlite|worker_threads)$',
      },
    },
    only(
      'catalog-stands-alone',
      '^catalog/',
      '^(catalog/|src/(iceberg|storage|parquet)/|src/(errors|clock)\\.ts$)',
    ),
    {
      name: 'src-reaches-the-catalog-by-its-protocol',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: '^src/catalog-client/embedded\\.ts$|^src/cli/commands/catalog(\\.ts$|/)',
      },
      to: { path: '^catalog/' },
    },
    {
      name: 'nothing-imports-the-cli',
      severity: 'error',
      from: { path: '^(src|catalog)/', pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      conditionNames: ['import', 'node', 'default', 'types'],
      exportsFields: ['exports'],
    },
  },
};
