import type { CausalConv1dInputs, Tensor } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { gradientError } from '../../test/finite-differences.js';
import { type Host, host, normal, relativeError, upload, values } from '../../test/host.js';
import { randomSequences } from '../../test/random-scan.js';
import { createCpuBackend } from '../index.js';

const backend = await createCpuBackend();
const { ops } = backend;
afterAll(() => backend.dispose());

interface Inputs extends Record<string, unknown> {
  x: Host;
  weight: Host;
  bias?: Host;
  initialState?: Host;
  seqIdx?: Host;
  activation?: 'silu';
}

interface Call {
  seed: number;
  batch: number;
  length: number;
  channels: number;
  width: number;
  activation: boolean;
  bias: boolean;
  initialState: boolean;
  seqIdx: boolean;
}

const call: fc.Arbitrary<Call> = fc.record({
  seed: fc.nat(),
  batch: fc.integer({ min: 1, max: 2 }),
  length: fc.integer({ min: 1, max: 9 }),
  channels: fc.integer({ min: 1, max: 4 }),
  width: fc.integer({ min: 1, max: 6 }),
  activation: fc.boolean(),
  bias: fc.boolean(),
  initialState: fc.boolean(),
  seqIdx: fc.boolean(),
});

function draw({ seed, batch, length, channels, width, ...want }: Call): Inputs {
  const random = new Random(seed);
  return {
    x: normal(random, [batch, length, channels]),
    weight: normal(random, [channels, width]),
    ...(want.activation && { activation: 'silu' as const }),
    ...(want.bias && { bias: normal(random, [channels]) }),
    ...(want.initialState && { initialState: normal(random, [batch, width - 1, channels]) }),
    ...(want.seqIdx && { seqIdx: randomSequences(random, batch, length) }),
  };
}

/** Each token by itself: the row of inputs that end with it, those of other sequences blanked out, times the weights. */
function naive({ x, weight, bias, initialState, seqIdx, activation }: Inputs) {
  const [batch, length, channels] = x.shape;
  const width = weight.shape[1];
  const y: number[] = [];
  const lastState: number[] = [];
  for (let b = 0; b < batch; b++) {
    const row = (data: Float64Array, i: number) => [...data.subarray(i * channels, (i + 1) * channels)];
    const before = Array.from({ length: width - 1 }, (_, j) =>
      initialState ? row(initialState.data, b * (width - 1) + j) : new Array<number>(channels).fill(0),
    );
    const all = [...before, ...Array.from({ length }, (_, t) => row(x.data, b * length + t))];
    const sequence = (i: number) => seqIdx?.data[b * length + Math.max(i - (width - 1), 0)];
    const seenBy = (t: number, i: number, d: number) =>
      sequence(i) === sequence(t + width - 1) ? all[i][d] : 0;
    for (let t = 0; t < length; t++) {
      for (let d = 0; d < channels; d++) {
        let sum = bias?.data[d] ?? 0;
        for (let j = 0; j < width; j++) sum += weight.data[d * width + j] * seenBy(t, t + j, d);
        y.push(activation ? sum / (1 + Math.exp(-sum)) : sum);
      }
    }
    for (let j = 1; j < width; j++) {
      for (let d = 0; d < channels; d++) lastState.push(seenBy(length - 1, length - 1 + j, d));
    }
  }
  return { y, lastState };
}

describe('causalConv1d', () => {
  it('is the dot product of the weights with the last inputs of the sequence', () => {
    fc.assert(
      fc.property(call, (chosen) => {
        const inputs = draw(chosen);
        backend.scope(() => {
          const { y, lastState } = ops.causalConv1d(upload<CausalConv1dInputs>(backend, inputs));
          const want = naive(inputs);
          expect(relativeError(values(y), want.y, 1e-3)).toBeLessThan(1e-13);
          expect([...values(lastState)]).toEqual(want.lastState);
          expect(lastState.shape).toEqual([chosen.batch, chosen.width - 1, chosen.channels]);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('continues from its last state, however short the pieces', () => {
    fc.assert(
      fc.property(call, fc.nat(), (chosen, cut) => {
        const inputs = draw({ ...chosen, length: chosen.length + 1, seqIdx: false });
        const at = 1 + (cut % chosen.length);
        backend.scope(() => {
          const tensors = upload<CausalConv1dInputs>(backend, inputs);
          const whole = ops.causalConv1d(tensors);
          const sizes = [at, chosen.length + 1 - at];
          const [first, second] = ops.split({ x: tensors.x, sizes, axis: 1 });
          const head = ops.causalConv1d({ ...tensors, x: first! });
          const tail = ops.causalConv1d({ ...tensors, x: second!, initialState: head.lastState });
          expect(values(ops.concat({ tensors: [head.y, tail.y], axis: 1 }))).toEqual(values(whole.y));
          expect(values(tail.lastState)).toEqual(values(whole.lastState));
        });
      }),
    );
  });
});

describe('causalConv1dStep', () => {
  it('is a convolution of one token, with the state in place', () => {
    fc.assert(
      fc.property(call, (chosen) => {
        const { batch, length, channels, width } = chosen;
        const inputs = draw({ ...chosen, seqIdx: false });
        backend.scope(() => {
          const tensors = upload<CausalConv1dInputs>(backend, inputs);
          const whole = ops.causalConv1d(tensors);
          const { initialState, x, ...rest } = tensors;
          const state = initialState
            ? ops.copy({ x: initialState })
            : backend.zeros([batch, width - 1, channels], 'f64');
          const token = (from: Tensor, t: number) =>
            ops.split({ x: from, sizes: [t, 1, length - t - 1], axis: 1 })[1]!;
          for (let t = 0; t < length; t++) {
            const one = backend.tensor(values(token(x, t)), [batch, channels], 'f64');
            const y = ops.causalConv1dStep({ ...rest, x: one, state });
            expect(y.shape).toEqual([batch, channels]);
            expect(values(y)).toEqual(values(token(whole.y, t)));
          }
          expect(values(state)).toEqual(values(whole.lastState));
        });
      }),
    );
  });
});

describe('causalConv1dBackward', () => {
  it('agrees with central differences, with every option', () => {
    let seed = 0;
    for (const width of [1, 2, 4, 6]) {
      for (let options = 0; options < 16; options++) {
        const inputs = draw({
          seed: seed++,
          batch: 2,
          length: 1 + (seed % 6),
          channels: 2,
          width,
          activation: (options & 1) > 0,
          bias: (options & 2) > 0,
          initialState: (options & 4) > 0,
          seqIdx: (options & 8) > 0,
        });
        const through = { y: 'dy', ...(seed % 3 > 0 && width > 1 && { lastState: 'dLastState' }) };
        const { error, gradient } = gradientError(backend, 'causalConv1d', inputs, through);
        expect(error, `${gradient}, width ${width}, options ${options}`).toBeLessThan(1e-7);
      }
    }
  });

  it('returns only the gradients of what was given', () => {
    backend.scope(() => {
      const one = upload<Tensor>(backend, host([1, 1, 1], [1]));
      const weight = upload<Tensor>(backend, host([1, 2], [1, 1]));
      const gradients = ops.causalConv1dBackward({ x: one, weight }, { dy: one });
      expect(Object.keys(gradients).sort()).toEqual(['dweight', 'dx']);
    });
  });
});
