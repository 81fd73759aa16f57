import { type CrossEntropyInputs, MambaError, type Tensor } from '@mamba-ts/backend';
import { allocate, type Cpu, floats, ints, resultType, round, rowsOf } from '../cpu.js';
import type { Floats } from '../tensor.js';

/** Mean of log sum exp(logits) - logits[target] over the targets that count; 0 if none does. */
export function crossEntropy(cpu: Cpu, inputs: CrossEntropyInputs): Tensor {
  const { logits } = inputs;
  const { columns } = rowsOf(logits.shape);
  const values = floats(cpu, logits);
  const { targets, count } = counted(cpu, inputs, 'crossEntropy');
  let sum = 0;
  targets.forEach((target, row) => {
    if (target !== undefined)
      sum += logSumExp(values, row * columns, columns) - values[row * columns + target];
  });
  return round(cpu, Float64Array.of(count > 0 ? sum / count : 0), [], resultType(logits));
}

/** dlogits = (softmax(logits) - onehot(target)) dloss / count */
export function crossEntropyBackward(
  cpu: Cpu,
  inputs: CrossEntropyInputs,
  { dloss }: { dloss: Tensor },
): { dlogits: Tensor } {
  const { logits } = inputs;
  const { columns } = rowsOf(logits.shape);
  const values = floats(cpu, logits);
  const { targets, count } = counted(cpu, inputs, 'crossEntropyBackward');
  const scale = floats(cpu, dloss)[0] / count;
  const dlogits = allocate(resultType(logits), values.length);
  targets.forEach((target, row) => {
    if (target === undefined) return;
    const start = row * columns;
    const norm = logSumExp(values, start, columns);
    for (let i = 0; i < columns; i++) {
      dlogits[start + i] = scale * (Math.exp(values[start + i] - norm) - (i === target ? 1 : 0));
    }
  });
  return { dlogits: cpu.make(dlogits, logits.shape, resultType(logits)) };
}

/** Each row's target, undefined where it does not count. */
function counted(
  cpu: Cpu,
  { logits, targets, ignoreIndex = -100 }: CrossEntropyInputs,
  op: string,
): { targets: (number | undefined)[]; count: number } {
  const { columns } = rowsOf(logits.shape);
  let count = 0;
  const list = Array.from(ints(cpu, targets), (target, i) => {
    if (target === ignoreIndex) return undefined;
    if (target < 0 || target >= columns) {
      throw new MambaError(
        'SHAPE',
        `${op}: targets[${i}] is ${target}, but there are logits 0 to ${columns - 1}`,
      );
    }
    count++;
    return target;
  });
  return { targets: list, count };
}

/** The largest is taken out first, so that exp cannot overflow. */
function logSumExp(values: Floats, start: number, length: number): number {
  let max = -Infinity;
  for (let i = 0; i < length; i++) if (values[start + i] > max) max = values[start + i];
  let sum = 0;
  for (let i = 0; i < length; i++) sum += Math.exp(values[start + i] - max);
  return max + Math.log(sum);
}
