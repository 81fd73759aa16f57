import { conformance } from '@mamba-ts/conformance';
import { createCpuBackend } from './index.js';

// In f64 the oracle is this backend itself: there the official figures, the finite differences and the identities judge.
await conformance({ name: 'cpu', createBackend: createCpuBackend, createOracle: createCpuBackend });
