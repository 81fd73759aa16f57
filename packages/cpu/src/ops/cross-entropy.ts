import { checkCrossEntropy, checkCrossEntropyBackward, checkId } from '@mamba-ts/backend';
import { type Floats, floats, ints } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';

/** Mean of log(sum of e^logits) - logits[target] over the targets that count. */
export const crossEntropy: Kernel<'crossEntropy'> = (make, inputs) => {
  const { dtype, rows, vocab, ignoreIndex } = checkCrossEntropy(inputs);
  const logits = floats(inputs.logits);
  const targets = ints(inputs.targets);
  const loss = make([], dtype);
  let sum = 0;
  let count = 0;
  for (let row = 0; row < rows; row++) {
    const target = targets[row];
    if (target === ignoreIndex) continue;
    checkId('crossEntropy', 'targets', target, vocab);
    sum += logSumExp(logits, row * vocab, vocab) - logits[row * vocab + target];
    count++;
  }
  floats(loss)[0] = count > 0 ? sum / count : 0;
  return loss;
};

/** dlogits = (softmax(logits) - onehot(target)) dloss / count, zeros where the target does not count. */
export const crossEntropyBackward: Kernel<'crossEntropyBackward'> = (make, inputs, grads) => {
  const { dtype, rows, vocab, ignoreIndex } = checkCrossEntropyBackward(inputs, grads);
  const logits = floats(inputs.logits);
  const targets = ints(inputs.targets);
  const dlogits = make(inputs.logits.shape, dtype);
  const values = floats(dlogits);
  let count = 0;
  for (let row = 0; row < rows; row++) if (targets[row] !== ignoreIndex) count++;
  const scale = floats(grads.dloss)[0] / count;
  for (let row = 0; row < rows; row++) {
    const target = targets[row];
    if (target === ignoreIndex) continue;
    checkId('crossEntropyBackward', 'targets', target, vocab);
    const at = row * vocab;
    const normaliser = logSumExp(logits, at, vocab);
    for (let v = 0; v < vocab; v++) {
      const probability = Math.exp(logits[at + v] - normaliser);
      values[at + v] = scale * (v === target ? probability - 1 : probability);
    }
  }
  return { dlogits };
};

/** log(sum of e^x), the largest x taken out first so that nothing overflows. */
function logSumExp(x: Floats, at: number, count: number): number {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = at; i < at + count; i++) if (x[i] > max) max = x[i];
  let sum = 0;
  for (let i = at; i < at + count; i++) sum += Math.exp(x[i] - max);
  return max + Math.log(sum);
}
