import tseslint from 'typescript-eslint';

const projects = ['packages/*/tsconfig.json', 'tsconfig.tests.json'];

export default tseslint.config(
  { ignores: ['**/dist/', '**/build/', '**/build-*/', '**/node_modules/', '**/coverage/'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    ignores: ['native/lib/*.d.ts'],
    extends: [...tseslint.configs.recommendedTypeCheckedOnly],
    languageOptions: { parserOptions: { project: projects, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
    },
  },
  {
    rules: {
      eqeqeq: 'error',
      'no-console': 'off',
      'prefer-const': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    // A test may look into what has no type, and jest's matchers answer any.
    files: ['**/test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/unbound-method': 'off',
      // A handler is async for what that does to its message, whether or not it waits.
      '@typescript-eslint/require-await': 'off',
    },
  },
  { files: ['**/*.js'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
);
