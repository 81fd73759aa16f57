import { describe, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import type { Tensor } from '../tensor.js';
import { checkTensors } from './tensors.js';

describe('checkTensors', () => {
  const mine = fake([1]);
  const owns = (tensor: Tensor) => tensor === mine;

  it('looks at pairs and lists, not at options', () => {
    const args = [
      { A: { re: mine, im: mine }, tensors: [mine], x: undefined, shape: [1], dtype: 'f32' },
      { dy: mine },
    ];
    checkTensors('op', args, 'cpu', owns);
  });

  it('names the tensor that is disposed, or lives elsewhere', () => {
    const gone = fake([1]);
    gone.dispose();
    const check = (...args: object[]) => checkTensors('op', args, 'cpu', owns);
    expectRefusal(() => check({ A: { re: mine, im: gone } }), 'DISPOSED', 'op: A.im was disposed');
    expectRefusal(() => check({ x: mine }, { dy: gone }), 'DISPOSED', 'op: dy was disposed');
    expectRefusal(
      () => check({ tensors: [mine, fake([1])] }),
      'INVALID_ARGUMENT',
      'tensors[1] lives on another',
    );
  });
});
