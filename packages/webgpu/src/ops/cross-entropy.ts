import {
  type CrossEntropyInputs,
  checkCrossEntropy,
  checkCrossEntropyBackward,
  type Tensor,
} from '@mamba-ts/backend';
import { fold, type Gpu } from '../gpu.js';

/** Mean over the targets that count; a target outside the vocabulary does not count, as `ignoreIndex`. */
export function crossEntropy(gpu: Gpu, inputs: CrossEntropyInputs): Tensor {
  const { rows, vocab, ignoreIndex } = checkCrossEntropy(inputs);
  const targets = gpu.flat(inputs.targets);
  const params = [rows, vocab, ignoreIndex >>> 0];
  const losses = gpu.make([rows]).loan;
  gpu.engine.run('cross-entropy', {
    bind: [gpu.flat(inputs.logits), targets, undefined, undefined, losses],
    params,
    groups: fold(rows),
  });
  const loss = gpu.make([]);
  gpu.engine.run('mean-loss', { bind: [losses, targets, loss.loan, undefined], params, groups: [1] });
  return loss;
}

export function crossEntropyBackward(
  gpu: Gpu,
  inputs: CrossEntropyInputs,
  grads: { dloss: Tensor },
): { dlogits: Tensor } {
  const { rows, vocab, ignoreIndex } = checkCrossEntropyBackward(inputs, grads);
  const targets = gpu.flat(inputs.targets);
  const params = [rows, vocab, ignoreIndex >>> 0];
  const count = gpu.make([1]).loan;
  gpu.engine.run('mean-loss', {
    constants: { LOSS: false },
    bind: [undefined, targets, undefined, count],
    params,
    groups: [1],
  });
  const dlogits = gpu.make(inputs.logits.shape);
  gpu.engine.run('cross-entropy', {
    constants: { GRADIENT: true },
    bind: [gpu.flat(inputs.logits), targets, gpu.flat(grads.dloss), count, dlogits.loan],
    params,
    groups: fold(rows),
  });
  return { dlogits };
}
