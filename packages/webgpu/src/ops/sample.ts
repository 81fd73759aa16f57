import { checkSample, type SampleInputs, type Tensor } from '@mamba-ts/backend';
import { float } from '../engine.js';
import { fold, type Gpu } from '../gpu.js';

export function sample(gpu: Gpu, inputs: SampleInputs): { token: Tensor; logprob: Tensor } {
  const { rows, columns, vocabulary, topK, topP, minP } = checkSample(inputs);
  const { logits, uniform, temperature } = inputs;
  const token = gpu.make([rows], 'i32', 'token');
  const logprob = gpu.make([rows], 'f32', 'logprob');
  const draw = temperature > 0;
  gpu.engine.run('sample', {
    snippets: [gpu.engine.sumSnippet],
    constants: { DRAW: draw, FILTER: draw && (topK > 0 || topP < 1) },
    bind: [gpu.flat(logits), draw ? gpu.flat(uniform) : undefined, token.loan, logprob.loan],
    // Finite, so that times a difference of zero it is zero.
    params: [
      rows,
      columns,
      vocabulary,
      topK,
      float(Math.min(1 / temperature, 1e30)),
      float(topP),
      float(minP),
      float(Number.POSITIVE_INFINITY),
    ],
    groups: fold(rows),
  });
  return { token, logprob };
}
