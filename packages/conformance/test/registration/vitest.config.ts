import { defineConfig } from 'vitest/config';
import base from '../../../../vitest.config.js';

// Not merged: the lists of files would be joined, and this run would start itself.
export default defineConfig({ ...base, test: { include: ['test/registration/*.suite.ts'] } });
