import type { AdamWInputs } from '../ops.js';
import { sizeOf, type Tensor } from '../tensor.js';
import { CallCheck, type FloatDType, sameShape, show } from './call-check.js';

/** At least one tensor, all of one type; any shapes. */
export function checkGradNorm({ grads }: { grads: readonly Tensor[] }): { dtype: FloatDType } {
  const call = new CallCheck('gradNorm');
  if (grads.length === 0) call.fail('INVALID_ARGUMENT', 'grads is empty: give at least one');
  grads.forEach((grad, i) => {
    call.floatType(`grads[${i}]`, grad);
  });
  return { dtype: call.dtype };
}

/** `param`, `grad`, `m`, `v` of one type and shape, `norm` []; numbers in their ranges. */
export function checkAdamW(inputs: AdamWInputs): { dtype: FloatDType; size: number } {
  const { param, norm, maxNorm, step, lr, beta1, beta2, eps, weightDecay } = inputs;
  const call = new CallCheck('adamW');
  for (const name of ['param', 'grad', 'm', 'v'] as const) {
    const x = inputs[name];
    call.floatType(name, x);
    if (!sameShape(x.shape, param.shape)) {
      call.fail(
        'SHAPE',
        `${name} has shape ${show(x.shape)}, expected ${show(param.shape)}, the shape of param`,
      );
    }
  }
  call.optionalFloat('norm', norm, []);
  const finite = (x: number) => x >= 0 && x < Number.POSITIVE_INFINITY;
  call.number('step', step, Number.isSafeInteger(step) && step >= 1, 'a whole number, counted from 1');
  call.number('lr', lr, finite(lr), 'finite and at least 0');
  call.number('beta1', beta1, beta1 >= 0 && beta1 < 1, 'in [0, 1)');
  call.number('beta2', beta2, beta2 >= 0 && beta2 < 1, 'in [0, 1)');
  call.number('eps', eps, finite(eps), 'finite and at least 0');
  call.number('weightDecay', weightDecay, finite(weightDecay), 'finite and at least 0');
  if ((norm === undefined) !== (maxNorm === undefined)) {
    call.fail('INVALID_ARGUMENT', 'norm and maxNorm go together: give both to clip, none not to');
  }
  if (maxNorm !== undefined) call.number('maxNorm', maxNorm, maxNorm > 0, 'above 0');
  return { dtype: call.dtype, size: sizeOf(param.shape) };
}
