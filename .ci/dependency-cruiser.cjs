const io =
  '^(node:)?(fs|fs/promises|http|https|net|child_process|worker_threads|os)(/|$)|node_modules/(socket[.]io|socket[.]io-client|libsql|kysely)/';
const forbid = (name, from, to) => ({ name, severity: 'error', from, to });

/** Who may import whom (docs/architecture.md). */
module.exports = {
  forbidden: [
    forbid('no-cycles', {}, { circular: true }),
    forbid(
      'shared-imports-nothing-of-ours',
      { path: '^shared/' },
      { path: '^(coordinator|client|scenarios|test|bench)/|^parley' },
    ),
    forbid('coordinator-never-sees-client', { path: '^coordinator/' }, { path: '^(client|scenarios)/' }),
    forbid('client-never-sees-coordinator', { path: '^client/' }, { path: '^(coordinator|scenarios)/' }),
    forbid(
      'rooms-have-one-door',
      { path: '^(scenarios/|parley(-assess|-command|-linkage|-serve|-sweep)?[.]ts)' },
      { path: '^(coordinator|client)/', pathNot: '/index[.]ts$' },
    ),
    forbid(
      'the-command-uses-doors',
      { path: '^parley(-assess|-command|-linkage|-serve|-sweep)?[.]ts' },
      { path: '^scenarios/', pathNot: '/index[.]ts$' },
    ),
    forbid('nothing-imports-tests', { pathNot: '^(test|bench)/' }, { path: '^(test|bench)/' }),
    forbid(
      'core-reaches-no-io',
      { path: '^shared/(?!model/)|^coordinator/(aggregate|audit|serve/monitor)/' },
      { reachable: true, path: io },
    ),
    forbid(
      'core-reaches-no-tensor-library',
      { path: '^shared/(?!model/)|^coordinator/(aggregate|audit|serve/monitor)/' },
      { reachable: true, path: 'node_modules/@tensorflow/' },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
