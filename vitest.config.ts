import { defineConfig } from 'vitest/config';

// The packages' own sources, not their builds: an edit is tested without a rebuild. (Worker threads and the command
// line start from `dist`, so turbo builds before it tests.)
const conditions = ['@mamba-ts/source', 'module', 'node', 'development|production', 'import', 'default'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    reporters: ['default', 'json'],
    outputFile: { json: '.test-results.json' },
    maxWorkers: 2,
    passWithNoTests: true,
  },
});
