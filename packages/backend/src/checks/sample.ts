import type { SampleInputs } from '../ops.js';
import { CallCheck, type FloatDType } from './call-check.js';

export interface SampleDims {
  readonly dtype: FloatDType;
  readonly rows: number;
  /** V: from one row of logits to the next. */
  readonly columns: number;
  /** The ids that there are: at most V. */
  readonly vocabulary: number;
  /** 0 where all are kept. */
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
}

export function checkSample(inputs: SampleInputs): SampleDims {
  const { logits, uniform, temperature, topK = 0, topP = 1, minP = 0 } = inputs;
  const call = new CallCheck('sample');
  call.float('logits', logits, ['B', 'V']);
  call.optionalFloat('uniform', uniform, ['B']);
  const columns = call.size('V');
  const { vocabulary = columns } = inputs;
  const number = (name: string, value: number, good: boolean, expected: string) =>
    call.number(name, value, good, expected);
  number('temperature', temperature, temperature >= 0 && Number.isFinite(temperature), '0 or more');
  number('topK', topK, topK >= 0 && Number.isInteger(topK), 'a whole number, 0 for no limit');
  number('topP', topP, topP > 0 && topP <= 1, 'in (0, 1]');
  number('minP', minP, minP >= 0 && minP <= 1, 'in [0, 1]');
  const fits = vocabulary > 0 && vocabulary <= columns && Number.isInteger(vocabulary);
  number('vocabulary', vocabulary, fits, `a whole number from 1 to the ${columns} columns of logits`);
  if (temperature > 0) call.present('uniform', uniform!);
  const { dtype } = call;
  const limited = topK < vocabulary ? topK : 0;
  return { dtype, rows: call.size('B'), columns, vocabulary, topK: limited, topP, minP };
}
