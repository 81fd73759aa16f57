import {
  type CrossEntropyDims,
  checkCrossEntropy,
  checkCrossEntropyBackward,
  checkId,
  type Tensor,
} from '@mamba-ts/backend';
import { CROSS_ENTROPY, CROSS_ENTROPY_BACKWARD } from '../kernel-ids.js';
import { addressOf, ceilDiv, type Op, own } from './op.js';

/** How many targets count; every one of them is in the vocabulary. */
function countTargets(op: string, targets: Tensor, { vocab, ignoreIndex }: CrossEntropyDims): number {
  let count = 0;
  for (const target of own(targets).raw()) {
    if (target === ignoreIndex) continue;
    if (target < 0 || target >= vocab) checkId(op, 'targets', target, vocab);
    count++;
  }
  return count;
}

export const crossEntropy: Op<'crossEntropy'> = (runtime, inputs) => {
  const dims = checkCrossEntropy(inputs);
  const { rows, vocab, ignoreIndex } = dims;
  const count = countTargets('crossEntropy', inputs.targets, dims);
  const loss = runtime.empty([]);
  runtime.withMemory(8 * rows, (losses) => {
    runtime.run({
      kernel: CROSS_ENTROPY,
      pieces: ceilDiv(rows, 16),
      ints: [addressOf(inputs.logits), addressOf(inputs.targets), losses, rows, vocab, ignoreIndex],
      work: 2 * rows * vocab,
    });
    const sum = new Float64Array(runtime.buffer, losses, rows).reduce((total, one) => total + one, 0);
    loss.raw()[0] = count > 0 ? sum / count : 0;
  });
  return loss;
};

export const crossEntropyBackward: Op<'crossEntropyBackward'> = (runtime, inputs, grads) => {
  const dims = checkCrossEntropyBackward(inputs, grads);
  const { rows, vocab, ignoreIndex } = dims;
  const count = countTargets('crossEntropyBackward', inputs.targets, dims);
  const dlogits = runtime.empty(inputs.logits.shape);
  runtime.run({
    kernel: CROSS_ENTROPY_BACKWARD,
    pieces: ceilDiv(rows, 16),
    ints: [addressOf(inputs.logits), addressOf(inputs.targets), dlogits.address, rows, vocab, ignoreIndex],
    floats: [count > 0 ? own(grads.dloss).raw()[0] / count : 0],
    work: 3 * rows * vocab,
  });
  return { dlogits };
};
