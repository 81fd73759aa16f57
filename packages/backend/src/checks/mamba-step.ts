import type { MambaStepInputs } from '../ops.js';
import { CallCheck, type FloatDType } from './call-check.js';

export interface MambaStepDims {
  readonly dtype: FloatDType;
  readonly batch: number;
  /** E: width of the residual stream. */
  readonly model: number;
  /** D: channels of the mixer. */
  readonly channels: number;
  /** W >= 1; the state of the convolution holds W - 1 inputs. */
  readonly width: number;
  /** R: rank of Δ. */
  readonly rank: number;
  /** N */
  readonly states: number;
}

export function checkMambaStep(inputs: MambaStepInputs): MambaStepDims {
  const call = new CallCheck('mambaStep');
  const { eps } = inputs;
  call.float('x', inputs.x, ['B', 'E']);
  call.optionalFloat('residual', inputs.residual, ['B', 'E']);
  call.float('normWeight', inputs.normWeight, ['E']);
  call.number('eps', eps, eps >= 0 && eps < Number.POSITIVE_INFINITY, 'a finite number, at least 0');
  call.float('convWeight', inputs.convWeight, ['D', 'W']);
  call.optionalFloat('convBias', inputs.convBias, ['D']);
  call.float('convState', inputs.convState, ['B', call.size('W') - 1, 'D']);
  call.float('A', inputs.A, ['D', 'N']);
  call.optionalFloat('D', inputs.D, ['D']);
  call.float('state', inputs.state, ['B', 'D', 'N']);
  call.weight('dtProj', inputs.dtProj, ['D', 'R']);
  call.float('dtBias', inputs.dtBias, ['D']);
  call.weight('xProj', inputs.xProj, [call.size('R') + 2 * call.size('N'), 'D']);
  call.weight('inProj', inputs.inProj, [2 * call.size('D'), 'E']);
  call.weight('outProj', inputs.outProj, ['E', 'D']);
  return {
    dtype: call.dtype,
    batch: call.size('B'),
    model: call.size('E'),
    channels: call.size('D'),
    width: call.size('W'),
    rank: call.size('R'),
    states: call.size('N'),
  };
}
