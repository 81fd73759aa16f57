import { evaluate, needOf, type OpCase } from '../cases/case.js';
import { convCases } from '../cases/conv.js';
import { Draw } from '../cases/draw.js';
import { scanCases } from '../cases/scan.js';
import { type HostTensor, hostF32 } from '../host.js';
import { ensure, type NumericCheck, type NumericContext } from './check.js';

const group = 'not a number';

/**
 * One NaN in the input. Where it may reach, NaN; everywhere else exactly what comes out without it. A kernel that computes
 * several channels in lanes, clamps with min and max or multiplies by zero masks gets this wrong.
 */
interface Poison {
  readonly c: OpCase;
  /** The input, and the element that becomes NaN. */
  readonly input: string;
  readonly at: number;
  /** Whether element i of an output is reached. */
  reaches(output: string, i: number): boolean;
}

async function poison(context: NumericContext, { c, input, at, reaches }: Poison): Promise<void> {
  const clean = c.inputs[input] as HostTensor;
  const data = Float32Array.from(clean.data);
  data[at] = Number.NaN;
  const { backend, dtype } = context;
  const before = await evaluate(backend, c, dtype);
  const inputs = { ...c.inputs, [input]: { ...clean, data } };
  const after = await evaluate(backend, { ...c, inputs }, dtype);
  for (const [output, { data }] of after) {
    for (let i = 0; i < data.length; i++) {
      const where = `${c.op}: with ${input}[${at}] NaN, ${output || 'the result'}[${i}]`;
      if (reaches(output, i)) {
        if (context.nonFinite) ensure(Number.isNaN(data[i]), `${where} is ${data[i]}, should be NaN`);
      } else {
        const want = before.get(output)!.data[i];
        ensure(Object.is(data[i], want), `${where} is ${data[i]}, should still be ${want}`);
      }
    }
  }
}

export function nanChecks(): NumericCheck[] {
  const [batch, length, channels, states, width] = [2, 8, 9, 5, 4];
  const [b, t, d] = [1, 2, 4];
  const at = (b * length + t) * channels + d;
  /** Rows of the batch, times and channels that one token reaches. */
  const onwards = (output: string, i: number, until = length) => {
    const channel = output === 'lastState' ? undefined : i % channels;
    const row = Math.floor(i / (length * channels));
    const time = Math.floor(i / channels) % length;
    return channel === d && row === b && time >= t && time < until;
  };
  const options = { batch, length, channels, softplus: true, z: true, D: true };
  const [scan] = scanCases('NaN', { ...options, states });
  const stateOf = (i: number) => Math.floor(i / states) === b * channels + d;
  const [conv] = convCases('NaN', { batch, length, channels, width, activation: 'silu' });
  const norm: OpCase = {
    op: 'rmsNorm',
    name: 'NaN',
    inputs: {
      x: new Draw(1).normal([batch, length, channels]),
      weight: new Draw(2).normal([channels]),
      eps: 1e-5,
    },
  };
  const linear: OpCase = {
    op: 'linear',
    name: 'NaN',
    inputs: { x: new Draw(3).normal([7, channels]), weight: new Draw(4).normal([5, channels]) },
  };
  const scanReach = (output: string, i: number) => (output === 'lastState' ? stateOf(i) : onwards(output, i));
  const poisons: Poison[] = [
    ...['u', 'delta'].map((input) => ({ c: scan, input, at, reaches: scanReach })),
    { c: scan, input: 'z', at, reaches: (output, i) => output === 'y' && i === at },
    {
      c: conv,
      input: 'x',
      at,
      reaches: (output, i) =>
        output === 'y'
          ? onwards(output, i, t + width)
          : // The last three inputs do not hold time 2 of 8.
            false,
    },
    {
      c: norm,
      input: 'x',
      at,
      reaches: (output, i) =>
        output === 'residual' ? i === at : Math.floor(i / channels) === b * length + t,
    },
    { c: linear, input: 'x', at: 2 * channels + d, reaches: (_, i) => Math.floor(i / 5) === 2 },
  ];
  return [
    ...poisons.map(
      (one): NumericCheck => ({
        kind: 'numeric',
        group,
        name: `${one.c.op}: NaN in ${one.input} stays where it belongs`,
        needs: [{ op: one.c.op, ...needOf(one.c) }],
        run: (context) => poison(context, one),
      }),
    ),
    expRange(),
    noDistribution(),
  ];
}

/** What is no distribution says so, and leaves the other rows alone. */
function noDistribution(): NumericCheck {
  return {
    kind: 'numeric',
    group,
    name: 'sample: logits with NaN or infinity have no log-probability',
    needs: [{ op: 'sample' }],
    run: async (context) => {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const logits = hostF32([0, 1, bad, 2, 0, 1, 2, 3], [2, 4]);
        for (const temperature of [0, 1]) {
          const inputs = { logits, uniform: hostF32([0.5, 0.5], [2]), temperature, topK: 2 };
          const c: OpCase = { op: 'sample', name: 'no distribution', inputs };
          const { data } = (await evaluate(context.backend, c, context.dtype)).get('logprob') as HostTensor;
          ensure(!Number.isFinite(data[0]), `sample: of logits with ${bad} logprob is ${data[0]}`);
          ensure(Number.isFinite(data[1]), `sample: in the other row logprob is ${data[1]}`);
        }
      }
    },
  };
}

/** Each value is judged by its own size. */
function expRange(): NumericCheck {
  const values = [
    -1e30,
    -1000,
    -104,
    -103,
    -88,
    -87.5,
    -87,
    -50,
    -10,
    -1,
    -0.5,
    -1e-3,
    -1e-7,
    -1e-30,
    -0,
    0,
    1e-30,
    1e-7,
    0.3465,
    Math.LN2,
    0.6932,
    1,
    2.5,
    10,
    50,
    87,
    88,
  ];
  return {
    kind: 'numeric',
    group,
    name: 'exp keeps its accuracy over the whole range',
    needs: [{ op: 'exp' }],
    run: async (context) => {
      const extremes = context.nonFinite ? [Number.NEGATIVE_INFINITY, Number.NaN] : [];
      const x = hostF32([...values, ...extremes], [values.length + extremes.length]);
      const c: OpCase = { op: 'exp', name: 'range', inputs: { x } };
      const got = (await evaluate(context.backend, c, context.dtype)).get('') as HostTensor;
      context.record(
        [...x.data].map((value, i) => {
          const [found, want] = [got.data[i], Math.exp(value)];
          // What is under the smallest normal f32 may be flushed to zero.
          const fine = Object.is(found, want) || Math.abs(found - want) <= 2 ** -126;
          const error = fine ? 0 : Math.abs(found - want) / want;
          return {
            group,
            op: 'exp',
            case: 'range',
            dtype: context.dtype,
            kind: 'forward',
            error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error,
            // WGSL allows exp 3 + 2 |x| units in the last place.
            tolerance: context.dtype === 'f64' ? context.tolerance.forward : 5e-5,
            detail: `exp(${value}) is ${found}, should be ${want}`,
          };
        }),
      );
    },
  };
}
