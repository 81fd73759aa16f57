import { checkSample, type SampleDims, type SampleInputs, type Tensor } from '@mamba-ts/backend';
import { float } from '../engine.js';
import { fold, type Gpu } from '../gpu.js';

export function sample(gpu: Gpu, inputs: SampleInputs): { token: Tensor; logprob: Tensor } {
  const dims = checkSample(inputs);
  const token = gpu.make([dims.rows], 'i32');
  return { token, logprob: choose(gpu, inputs.logits, token, dims, inputs.temperature, inputs.uniform) };
}

/** The bits of an f32 that WGSL has no word for. */
const INFINITY = 0x7f800000;

/** The token of each row goes to `token`; what is returned is its log-probability. At temperature 0 the largest logit. */
export function choose(
  gpu: Gpu,
  logits: Tensor,
  token: Tensor,
  { rows, columns, vocabulary, topK, topP, minP }: Omit<SampleDims, 'dtype'>,
  temperature: number,
  uniform?: Tensor,
): Tensor {
  const logprob = gpu.make([rows]);
  const draw = temperature > 0;
  gpu.engine.run('sample', {
    snippets: [gpu.engine.sumSnippet],
    constants: { DRAW: draw, FILTER: draw && (topK > 0 || topP < 1) },
    bind: [gpu.flat(logits), draw ? gpu.flat(uniform) : undefined, gpu.get(token).loan, logprob.loan],
    params: [
      rows,
      columns,
      vocabulary,
      topK,
      // Finite, so that times a difference of zero it is zero.
      float(Math.min(1 / temperature, 1e30)),
      float(topP),
      float(minP),
      INFINITY,
    ],
    groups: fold(rows),
  });
  return logprob;
}
