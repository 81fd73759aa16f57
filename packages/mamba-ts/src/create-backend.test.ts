import { expect, test } from 'vitest';
import { BACKENDS, createBackend, probeBackends } from './create-backend.js';

test.each(['cpu', 'wasm'] as const)('createBackend(%s)', async (name) => {
  const backend = await createBackend(name, { threads: 1 });
  expect(backend.name).toBe(name);
  const x = backend.tensor([1, 2], [2]);
  expect(Array.from(await backend.ops.add({ a: x, b: x }).data())).toEqual([2, 4]);
  await backend.dispose();
});

test('auto takes the first that this machine can run', async () => {
  const available = (await probeBackends()).filter((probe) => probe.available);
  const backend = await createBackend();
  expect(backend.name).toBe(available[0].name);
  await backend.dispose();
});

test('an unknown name is refused, and the known ones are named', async () => {
  await expect(createBackend('abacus' as 'cpu')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining(BACKENDS.join(', ')),
  });
});
