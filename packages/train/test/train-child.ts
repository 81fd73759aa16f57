/* A small training run in a process of its own, for tests that kill it: `train-child.ts OPTIONS` (JSON). */
import { createCpuBackend } from '@mamba-ts/cpu';
import { train } from '../src/index.js';

await train({ backend: await createCpuBackend(), ...JSON.parse(process.argv[2]!) });
