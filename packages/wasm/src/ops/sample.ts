import { checkSample } from '@mamba-ts/backend';
import { SAMPLE_CHOOSE, SAMPLE_SUMS, SAMPLE_TOPS } from '../kernel-ids.js';
import { LINE } from '../layout.js';
import { addressOf, ceilDiv, type Op } from './op.js';

/** Logits of a block, blocks of a part, and bytes of scratch memory ahead of a list of candidates: assembly/sample.ts. */
const BLOCK = 64;
const PART = 128;
const LIST = 256 + 4096;

export const sample: Op<'sample'> = (runtime, inputs) => {
  const { rows, columns, vocabulary, topK, topP, minP } = checkSample(inputs);
  const { temperature } = inputs;
  const token = runtime.empty([rows], 'i32');
  const logprob = runtime.empty([rows]);
  const blocks = ceilDiv(vocabulary, BLOCK);
  const parts = ceilDiv(blocks, PART);
  const draws = temperature > 0;
  const filters = draws && (topK > 0 || topP < 1 || minP > 0);
  const stride = LINE * ceilDiv(4 * (16 * ceilDiv(blocks, 16) + 2 * blocks + 2 * parts), LINE);
  runtime.withMemory(rows * stride, (space) => {
    const ints = [addressOf(inputs.logits), space, columns, vocabulary, stride, topK];
    // Finite, so that times a difference of zero it is zero, and not so small that a float makes the zero of it that means greedy.
    const floats = [draws ? Math.min(Math.max(1 / temperature, 1e-30), 1e30) : 0, topP, minP];
    const passes = rows * parts;
    runtime.runSequence([
      { kernel: SAMPLE_TOPS, pieces: passes, ints, work: (rows * vocabulary) / 2 },
      {
        kernel: SAMPLE_SUMS,
        pieces: passes,
        ints,
        floats,
        work: (draws && temperature !== 1 ? 10 : 5) * rows * vocabulary,
      },
      {
        kernel: SAMPLE_CHOOSE,
        pieces: rows,
        ints: [...ints, draws ? addressOf(inputs.uniform) : 0, token.address, logprob.address],
        floats,
        work: rows * (filters ? vocabulary : blocks),
        scratch: LIST + (filters ? 12 * vocabulary : 0),
      },
    ]);
  });
  return { token, logprob };
};
