import { conformance } from '../src/index.js';
import { createMinimalBackend } from './minimal-backend.js';

// With itself as its oracle it is judged by the official figures, the identities and the contract.
conformance({
  name: 'the minimal backend of docs/backends.md',
  createBackend: createMinimalBackend,
  createOracle: createMinimalBackend,
  ops: ['copy', 'add', 'linear', 'selectiveScan', 'selectiveScanStep'],
});
