import { expect, test } from 'vitest';
import { DONE } from './layout.js';
import { type Kernels, loadModule } from './module.js';
import { makeMemory } from './runtime.js';

// Code that the engine has not optimised yet: the first call of each instance (in V8 of Node 20 a wait forgets what is in registers).
test.each([false, true])(
  'the main thread knows after a nap what workers still hold (relaxed: %s)',
  async (relaxed) => {
    const { module } = await loadModule(relaxed, true);
    const memory = makeMemory(1 << 22, true);
    const { join } = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
    const words = new Int32Array(memory.buffer);
    words[DONE / 4] = -3;
    expect([join(1), join(0), join(1)]).toEqual([3, 3, 3]);
    words[DONE / 4] = 0;
    expect([join(1), join(0)]).toEqual([0, 0]);
  },
);
