import type { MambaConfigInput } from '@mamba-ts/model';

/** Shapes that people know: the published checkpoints (state-spaces/mamba-130m, ...) and the embedded model. */
export const SHAPES: Readonly<Record<string, MambaConfigInput>> = {
  embedded: { dModel: 160, nLayer: 8, tokenizer: 'bytes' },
  '130m': { dModel: 768, nLayer: 24, vocabSize: 50277 },
  '370m': { dModel: 1024, nLayer: 48, vocabSize: 50277 },
};
