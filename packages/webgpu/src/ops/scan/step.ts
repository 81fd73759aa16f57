import {
  checkSelectiveScanStep,
  isComplex,
  type MaybeComplex,
  type SelectiveScanStepInputs,
  type Tensor,
} from '@mamba-ts/backend';
import type { Gpu } from '../../gpu.js';
import { selectiveScan } from './forward.js';

/**
 * The scan of one token, whose last state then goes where the state is. Plain Mamba does not come here: see mamba-step.ts.
 */
export function selectiveScanStep(gpu: Gpu, inputs: SelectiveScanStepInputs): Tensor {
  const { batch, channels, B, C } = checkSelectiveScanStep(inputs);
  const { u, delta, z, state, ...rest } = inputs;
  const { y, lastState } = selectiveScan(gpu, {
    ...rest,
    u: alongTime(gpu, u),
    delta: alongTime(gpu, delta),
    z: z && alongTime(gpu, z),
    B: B.kind === 'constant' ? inputs.B : parts(inputs.B, (x) => alongTime(gpu, x)),
    C: C.kind === 'constant' ? inputs.C : parts(inputs.C, (x) => alongTime(gpu, x)),
    initialState: state,
  });
  const put = (from: Tensor, to: Tensor) => {
    const target = gpu.own(to);
    gpu.copyRows(gpu.get(from), target);
  };
  if (isComplex(state) && isComplex(lastState)) {
    put(lastState.re, state.re);
    put(lastState.im, state.im);
  } else {
    put(lastState as Tensor, state as Tensor);
  }
  return gpu.view(gpu.get(y), [batch, channels], 0, channels);
}

/** [B, ...] as [B, 1, ...], without a copy. */
function alongTime(gpu: Gpu, x: Tensor): Tensor {
  const { shape, stride } = gpu.get(x);
  return gpu.view(gpu.get(x), [shape[0]!, 1, ...shape.slice(1)], 0, stride);
}

function parts(x: MaybeComplex, map: (x: Tensor) => Tensor): MaybeComplex {
  return isComplex(x) ? { re: map(x.re), im: map(x.im) } : map(x);
}
