import { describe, expect, test } from 'vitest';
import { far, noGpu, numbers, webgpu } from '../../test/backends.js';

describe.skipIf(noGpu)('linear on webgpu', () => {
  // The gradient of a small weight is a sum over all tokens: cut into slices, which are added up in order.
  test.each([
    [2100, 20, 12],
    [1100, 70, 130],
  ])('gradients over %i tokens, %i to %i', async (rows, inputs, outputs) => {
    const backend = await webgpu();
    const [x, weight, dy] = [
      numbers(rows * inputs, 1),
      numbers(outputs * inputs, 2),
      numbers(rows * outputs, 3),
    ];
    const dweight = new Float64Array(outputs * inputs);
    const dx = new Float64Array(rows * inputs);
    for (let r = 0; r < rows; r++) {
      for (let o = 0; o < outputs; o++) {
        for (let i = 0; i < inputs; i++) {
          dweight[o * inputs + i]! += dy[r * outputs + o]! * x[r * inputs + i]!;
          dx[r * inputs + i]! += dy[r * outputs + o]! * weight[o * inputs + i]!;
        }
      }
    }
    const run = () =>
      backend.scope(() =>
        backend.ops.linearBackward(
          { x: backend.tensor(x, [rows, inputs]), weight: backend.tensor(weight, [outputs, inputs]) },
          { dy: backend.tensor(dy, [rows, outputs]) },
        ),
      );
    const [once, again] = [run(), run()];
    expect(far(await once.dweight.data(), dweight)).toBeLessThan(1e-5);
    expect(far(await once.dx.data(), dx)).toBeLessThan(1e-5);
    expect(await again.dweight.data()).toEqual(await once.dweight.data());
  });
});
