import { MambaError } from '@mamba-ts/backend';

export function diverged(): MambaError {
  return new MambaError(
    'DIVERGED',
    'generate: the logits are no distribution; the weights or the state hold NaN or infinity',
  );
}
