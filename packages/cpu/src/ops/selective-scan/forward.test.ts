import type { MaybeComplex, SelectiveScanInputs, Tensor } from '@mamba-ts/backend';
import { isComplex } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type Host, host, relativeError, upload, values } from '../../../test/host.js';
import { naiveScan } from '../../../test/naive-scan.js';
import { randomScan, type ScanForm } from '../../../test/random-scan.js';
import { createCpuBackend } from '../../index.js';

const backend = await createCpuBackend();
const { ops } = backend;
afterAll(() => backend.dispose());

const kind = fc.constantFrom('variable' as const, 'grouped' as const, 'constant' as const);
const packing = fc.constantFrom('pair' as const, 'interleaved' as const, 'real' as const);
const form: fc.Arbitrary<ScanForm> = fc
  .record({
    complex: fc.boolean(),
    discretization: fc.constantFrom('mamba' as const, 'zoh' as const),
    B: kind,
    C: kind,
    packingB: packing,
    packingC: packing,
  })
  .map((chosen) => ({
    ...chosen,
    packingB: chosen.B === 'constant' && chosen.packingB === 'interleaved' ? 'pair' : chosen.packingB,
    packingC: chosen.C === 'constant' && chosen.packingC === 'interleaved' ? 'pair' : chosen.packingC,
  }));
const call = fc
  .record({
    seed: fc.nat(),
    form,
    batch: fc.integer({ min: 1, max: 2 }),
    length: fc.integer({ min: 1, max: 9 }),
    perGroup: fc.integer({ min: 1, max: 3 }),
    groups: fc.integer({ min: 1, max: 3 }),
    stateSize: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ seed, form, perGroup, groups, ...sizes }) =>
    randomScan(new Random(seed), { ...sizes, groups, channels: perGroup * groups }, form),
  );

const run = (inputs: Record<string, unknown>, dtype: 'f64' | 'f32' = 'f64') =>
  ops.selectiveScan(upload<SelectiveScanInputs>(backend, inputs, dtype));

function parts(x: MaybeComplex): Float64Array[] {
  return isComplex(x) ? [values(x.re), values(x.im)] : [values(x)];
}

describe('selectiveScan', () => {
  it('is the sum over all earlier tokens of its sequence', () => {
    fc.assert(
      fc.property(call, (inputs) => {
        backend.scope(() => {
          const { y, lastState } = run(inputs);
          const naive = naiveScan(inputs);
          expect(relativeError(values(y), naive.y, 1e-3)).toBeLessThan(1e-11);
          const [re, im] = parts(lastState);
          expect(relativeError(re, naive.re, 1e-3)).toBeLessThan(1e-11);
          if (im) expect(relativeError(im, naive.im, 1e-3)).toBeLessThan(1e-11);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('stores f32 and computes in f64', () => {
    fc.assert(
      fc.property(call, (inputs) => {
        backend.scope(() => {
          const rounded = upload<SelectiveScanInputs>(backend, inputs, 'f32');
          const single = ops.selectiveScan(rounded).y;
          const double = run(mapFround(inputs) as Record<string, unknown>).y;
          expect(single.dtype).toBe('f32');
          expect(values(single)).toEqual(values(double).map(Math.fround));
        });
      }),
    );
  });

  it('continues from its last state: any split is the whole', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.boolean(),
        fc.integer({ min: 2, max: 9 }),
        fc.nat(),
        (seed, complex, length, cut) => {
          const shape = { batch: 2, length, channels: 3, stateSize: 2, groups: 1 };
          const form = { complex, discretization: 'mamba', B: 'variable', C: 'variable' } as const;
          const inputs = randomScan(new Random(seed), shape, form);
          const at = 1 + (cut % (length - 1));
          backend.scope(() => {
            const tensors = upload<SelectiveScanInputs>(backend, inputs);
            const whole = ops.selectiveScan(tensors);
            const [first, second] = cutInTwo(tensors, at);
            const head = ops.selectiveScan(first);
            const joined = tensors.seqIdx && !sameSequence(inputs['seqIdx'] as Host, at);
            // Packed sequences reset within a call; between calls the caller decides, so only same sequences continue.
            if (joined) return;
            const tail = ops.selectiveScan({ ...second, initialState: head.lastState });
            const y = ops.concat({ tensors: [head.y, tail.y], axis: 1 });
            expect(values(y)).toEqual(values(whole.y));
            expect(parts(tail.lastState)).toEqual(parts(whole.lastState));
          });
        },
      ),
    );
  });

  it('takes softplus as the identity above 20, and does not underflow far below', () => {
    const step = (delta: number) =>
      backend.scope(() => {
        const one = host([1, 1, 1], [1]);
        const inputs = {
          u: one,
          delta: host([1, 1, 1], [delta]),
          A: host([1, 1], [0]),
          B: one,
          C: one,
          softplus: true,
        };
        return values(run(inputs).y)[0];
      });
    expect(step(20)).toBeGreaterThan(20);
    expect(step(20.5)).toBe(20.5);
    expect(step(800)).toBe(800);
    expect(step(-40)).toBeCloseTo(Math.exp(-40), 30);
    expect(step(-800)).toBe(0);
  });

  it('lets no NaN through a change of sequence, nor from one channel to another', () => {
    const shape = { batch: 1, length: 6, channels: 3, stateSize: 2, groups: 1 };
    for (const complex of [false, true]) {
      const inputs = randomScan(new Random(1), shape, {
        complex,
        discretization: 'mamba',
        B: 'constant',
        C: 'constant',
        options: 'none',
      });
      (inputs['u'] as Host).data[1] = Number.NaN;
      const seqIdx = { ...host([1, 6], [0, 0, 0, 1, 1, 1]), dtype: 'i32' };
      const y = backend.scope(() => values(run({ ...inputs, seqIdx }).y));
      const bad = [...y.keys()].filter((i) => Number.isNaN(y[i]));
      expect(bad).toEqual([1, 4, 7]);
    }
  });
});

describe('selectiveScanStep', () => {
  it('is a scan of one token, with the state in place', () => {
    fc.assert(
      fc.property(fc.nat(), fc.boolean(), kind, kind, fc.boolean(), (seed, complex, B, C, zoh) => {
        const shape = { batch: 2, length: 5, channels: 4, stateSize: 3, groups: 2 };
        const discretization = zoh ? 'zoh' : 'mamba';
        const inputs = randomScan(new Random(seed), shape, { complex, discretization, B, C });
        delete inputs['seqIdx'];
        backend.scope(() => {
          const tensors = upload<SelectiveScanInputs>(backend, inputs);
          const whole = ops.selectiveScan(tensors);
          const state = copyOf(tensors.initialState ?? zerosLike(whole.lastState));
          const kept = parts(state);
          const { initialState: _, ...rest } = tensors;
          for (let t = 0; t < shape.length; t++) {
            const y = ops.selectiveScanStep({ ...tokenOf(rest, t), state });
            const want = ops.split({ x: whole.y, sizes: [t, 1, shape.length - t - 1], axis: 1 })[1]!;
            expect(values(y)).toEqual(values(want));
          }
          expect(parts(state)).toEqual(parts(whole.lastState));
          expect(parts(state)).not.toEqual(kept);
        });
      }),
    );
  });

  it('reads [D, N] as one row a batch where both are equal, unless it is said to be constant', () => {
    backend.scope(() => {
      const two = upload<Tensor>(backend, host([2, 2], [1, 2, 3, 4]));
      const ones = upload<Tensor>(backend, host([2, 2], [1, 1, 1, 1]));
      const run = (constant?: ['B']) =>
        values(
          ops.selectiveScanStep({
            u: ones,
            delta: ones,
            A: ones,
            B: two,
            C: ones,
            state: backend.zeros([2, 2, 2], 'f64'),
            constant,
          }),
        );
      expect([...run()]).toEqual([3, 3, 7, 7]);
      expect([...run(['B'])]).toEqual([3, 7, 3, 7]);
    });
  });
});

function mapFround(x: unknown): unknown {
  if (typeof x !== 'object' || x === null) return x;
  if ('data' in x) return { ...x, data: (x as Host).data.map(Math.fround) };
  return Object.fromEntries(Object.entries(x).map(([key, item]) => [key, mapFround(item)]));
}

const TIMED = ['u', 'delta', 'z', 'seqIdx'] as const;

function mapParts(x: MaybeComplex, f: (x: Tensor) => Tensor): MaybeComplex {
  return isComplex(x) ? { re: f(x.re), im: f(x.im) } : f(x);
}

/** Every argument that has a time axis of its own, cut along it. */
function mapTimed(inputs: SelectiveScanInputs, f: (x: Tensor) => Tensor): SelectiveScanInputs {
  const out = { ...inputs };
  for (const name of TIMED) if (inputs[name]) out[name] = f(inputs[name]);
  for (const name of ['B', 'C'] as const) {
    const x = inputs[name];
    if ((isComplex(x) ? x.re : x).shape.length > 2) out[name] = mapParts(x, f);
  }
  return out;
}

function cutInTwo(inputs: SelectiveScanInputs, at: number): [SelectiveScanInputs, SelectiveScanInputs] {
  const piece = (i: 0 | 1) => (x: Tensor) => {
    const sizes = [at, x.shape[1] - at];
    return ops.split({ x, sizes, axis: 1 })[i]!;
  };
  return [mapTimed(inputs, piece(0)), mapTimed(inputs, piece(1))];
}

function sameSequence({ shape, data }: Host, at: number): boolean {
  return Array.from({ length: shape[0] }, (_, b) => b * shape[1] + at).every((i) => data[i] === data[i - 1]);
}

/** The arguments of one token, without their axis of length. */
function tokenOf(inputs: SelectiveScanInputs, t: number): SelectiveScanInputs {
  return mapTimed(inputs, (x) => {
    const token = ops.split({ x, sizes: [t, 1, x.shape[1] - t - 1], axis: 1 })[1]!;
    return backend.tensor(values(token), x.shape.toSpliced(1, 1), 'f64');
  });
}

const copyOf = (x: MaybeComplex) => mapParts(x, (part) => ops.copy({ x: part }));
const zerosLike = (x: MaybeComplex) => mapParts(x, ({ shape, dtype }) => backend.zeros(shape, dtype));
