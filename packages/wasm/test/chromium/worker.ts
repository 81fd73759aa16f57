import { createWasmBackend } from '../../src/index.js';

const backend = await createWasmBackend({ threads: 2 });
const x = backend.tensor(new Float32Array(1024 * 1024).fill(1), [1024, 1024]);
for (let i = 0; i < 20; i++) {
  const y = backend.ops.linear({ x, weight: x });
  const [first] = await y.data();
  if (first !== 1024) throw new Error(`1024 ones are not ${first}`);
  y.dispose();
}
await backend.dispose();
postMessage(backend.description);
