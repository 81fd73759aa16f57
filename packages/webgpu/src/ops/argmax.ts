import { checkArgmax, type Tensor } from '@mamba-ts/backend';
import { fold, type Gpu } from '../gpu.js';

/** Columns that one workgroup compares: a vocabulary in one go would leave the rest of the device idle. */
const STRETCH = 4096;

export function argmax(gpu: Gpu, inputs: { x: Tensor }): Tensor {
  const { rows, columns, shape } = checkArgmax(inputs);
  const x = gpu.flat(inputs.x);
  const y = gpu.make(shape, 'i32', 'argmax');
  const stretches = Math.ceil(columns / STRETCH);
  if (stretches === 1) {
    gpu.engine.run('argmax', {
      bind: [x, undefined, y.loan],
      params: [rows, columns, columns, 1],
      groups: fold(rows),
    });
    return y;
  }
  const places = gpu.make([rows, stretches], 'i32', 'places of maxima').loan;
  const values = gpu.make([rows, stretches], 'f32', 'maxima').loan;
  gpu.engine.run('argmax', {
    constants: { VALUES: true },
    bind: [x, undefined, places, values],
    params: [rows, columns, STRETCH, stretches],
    groups: fold(rows * stretches),
  });
  gpu.engine.run('argmax', {
    constants: { SECOND: true },
    bind: [values, places, y.loan],
    params: [rows, stretches, stretches, 1],
    groups: fold(rows),
  });
  return y;
}
