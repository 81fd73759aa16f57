import { MambaError, type Tensor } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import type { MambaConfigInput } from './config/config.js';
import { resolveConfig } from './config/resolve.js';
import { sample } from './fingerprint.js';
import type { CreateOptions, ModelParts } from './lm.js';
import { parameterSpecs } from './parameters/list.js';
import { ByteTokenizer } from './tokenizers/bytes.js';
import { checkWeightDType, parameterDType } from './weight-dtype.js';

/** Draws every parameter from one generator, in the order of the state dict. */
export function createParameters(input: MambaConfigInput, options: CreateOptions): ModelParts {
  const { backend, seed = 0, tokenizer } = options;
  const config = resolveConfig(input);
  const dtype = checkWeightDType(backend, options.dtype ?? 'f32');
  if (!Number.isSafeInteger(seed)) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `create: seed must be an integer of at most 53 bits, not ${seed}`,
    );
  }
  const random = new Random(seed);
  const samples = new Map<string, Float32Array>();
  // The scope frees what was made if memory runs out half-way.
  const parameters = backend.scope(() => {
    const made = new Map<string, Tensor>();
    for (const spec of parameterSpecs(config)) {
      const values = spec.init(random);
      samples.set(spec.name, sample(values));
      made.set(spec.name, backend.tensor(values, spec.shape, parameterDType(spec, dtype)));
    }
    return made;
  });
  const bytes = config.tokenizer === 'bytes' ? new ByteTokenizer({ vocabSize: config.vocabSize }) : undefined;
  return { config, backend, dtype, tokenizer: tokenizer ?? bytes, parameters, samples };
}
