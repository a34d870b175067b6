import tseslint from 'typescript-eslint';

const bans = [
  { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
  {
    selector: "ClassDeclaration[superClass][superClass.name!='Error']",
    message: 'No inheritance; compose functions.',
  },
  {
    selector: 'CallExpression[callee.property.name=/^fit(Dataset)?$/]',
    message: 'fit() shuffles with Math.random.',
  },
  {
    selector:
      'CallExpression[callee.property.name=/^(randomNormal|randomUniform|truncatedNormal|randomGamma|dropout)$/]',
    message: 'tfjs randomness is not reproducible and not a CSPRNG: take an Rng.',
  },
];

/** Lint rules: strict type-aware checks plus the bans of docs/architecture.md. */
export default tseslint.config(
  {
    ignores: [
      'dist/**',
      'node_modules/**',
      'runs/**',
      'coverage/**',
      '.ci/**',
      'shared/model/kernels/assembly/**',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 50, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 12],
      'max-params': ['error', 4],
      'no-console': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      'no-restricted-syntax': ['error', ...bans],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Take an Rng as an argument.' },
        { object: 'Date', property: 'now', message: 'Take a clock as an argument.' },
      ],
    },
  },
  {
    files: ['test/**', 'bench/**'],
    rules: { 'max-lines-per-function': 'off', '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  { files: ['bench/**'], rules: { 'no-console': 'off' } },
);
